/** What the gateway keeps the files of a repository in: a setting of the repository's route. */
import {
  type GatewayStorage,
  type RepositoryRoute,
  type RetiringRoute,
  storageOfRoutes,
} from "../../protocol/control/repository-route.ts";

/** Of a row of `repositories`; undefined: the gateway's folder. A route that was replaced still leads somewhere. */
export function storageOf({
  routes,
  retiring,
}: {
  readonly routes: string;
  readonly retiring: string;
}): GatewayStorage | undefined {
  return storageOfRoutes([
    ...(JSON.parse(routes) as RepositoryRoute[]),
    ...(JSON.parse(retiring) as RetiringRoute[]).map(({ route }) => route),
  ]);
}
