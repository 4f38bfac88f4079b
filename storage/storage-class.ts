/** What new objects can be told to be, by the kind of storage: locked, and of a storage class. */
import { BackstayError } from "../protocol/backstay-error.ts";

export interface NewObjects {
  readonly retention?: object | undefined;
  readonly storageClass?: string | undefined;
}

/** Kinds that know none, and why. */
const unclassed: Readonly<Record<string, string>> = {
  local: "a folder has no storage classes",
  rest: "behind a server of the REST protocol its own settings choose the class (our gateway: storageClass of the repository's storage)",
};
/** In lower case; Google's archive is read like everything else. */
const archives: Readonly<Record<string, readonly string[]>> = {
  s3: ["glacier", "deep_archive"],
  azure: ["archive"],
};

/** Why stores of this kind can't lock objects; undefined if they can. */
export function retentionProblem(scheme: string): string | undefined {
  return scheme === "local"
    ? "objects can't be locked in a folder: it takes s3, azure or gs, or a gateway over one of them"
    : undefined;
}

/** Why new packs can't be of this class in stores of this kind; undefined if they can. */
export function storageClassProblem(scheme: string, storageClass: string): string | undefined {
  if (unclassed[scheme] !== undefined) return unclassed[scheme];
  return archives[scheme]?.includes(storageClass.toLowerCase()) === true
    ? `what lies in ${storageClass} can't be read at once, and backups, checks and restores read what packs hold`
    : undefined;
}

/** STORE_LACKS if stores of this kind can't do what is asked for. */
export function assertPossible(scheme: string, { retention, storageClass }: NewObjects): void {
  const problem =
    (retention === undefined ? undefined : retentionProblem(scheme)) ??
    (storageClass === undefined ? undefined : storageClassProblem(scheme, storageClass));
  if (problem !== undefined) throw new BackstayError("STORE_LACKS", { problem });
}
