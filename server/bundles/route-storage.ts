/** What the routes of a repository may say about the storage of its gateway. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type RepositoryRoute, storageOfRoutes } from "../../protocol/control/repository-route.ts";
import { storageClassProblem } from "../../storage/storage-class.ts";
import { storeAddress } from "../../storage/store-address.ts";

/** RESOURCE_INVALID unless all gateway routes name one storage, with a class of packs that can be read at once. */
export function requireStorage(routes: readonly RepositoryRoute[]): void {
  const storages = routes
    .filter(({ kind }) => kind === "gateway")
    .map((route) => storageOfRoutes([route]));
  if (new Set(storages.map((storage) => JSON.stringify(storage))).size > 1)
    throw invalid("all gateway routes of a repository name the same storage");
  const { url, storageClass } = storages[0] ?? {};
  if (url === undefined || storageClass === undefined) return;
  const problem = storageClassProblem(storeAddress(url).scheme, storageClass);
  if (problem !== undefined) throw invalid(problem);
}

function invalid(problem: string): BackstayError {
  return new BackstayError("RESOURCE_INVALID", { field: "routes", problem });
}
