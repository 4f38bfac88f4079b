/**
 * Whether a repository takes part: an administrator may put it into maintenance (nothing goes in or out once sessions that
 * run there have ended) or seal it (read only). Machines are told in their bundle, and by a signed document that lies in
 * the storage itself; the newer of both counts.
 */

/** Of both, maintenance counts. */
export type RepositoryModes = readonly ("maintenance" | "sealed")[];

/** What was decided last. */
export interface RepositoryStand {
  readonly modes: RepositoryModes;
  /** Rises with each decision: max(previous + 1, seconds since 1970). */
  readonly number: number;
}

/** A stand that a session has obeyed, and who told it. */
export interface ObeyedStand extends RepositoryStand {
  readonly source: "server" | "storage";
}

/** What follows from the modes: maintenance wins. */
export function stateOf(modes: RepositoryModes): "active" | "maintenance" | "sealed" {
  if (modes.includes("maintenance")) return "maintenance";
  return modes.includes("sealed") ? "sealed" : "active";
}

const prefix = "repository-state.";
const digits = 12;

/** Name of the object of type `backstay` that holds the document: each is written once, the highest counts. */
export function stateObjectName(number: number): string {
  return `${prefix}${String(number).padStart(digits, "0")}`;
}

/** The number in the name of such an object; undefined for any other. */
export function numberOfStateObject(name: string): number | undefined {
  const text = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^\d{12}$/.test(text) ? Number(text) : undefined;
}
