/** `container:/prefix`, in which restic names a place of object storage that has no host of its own. */
import { BackstayError } from "../protocol/backstay-error.ts";

export interface PrefixedPlace {
  readonly container: string;
  /** Before each name of an object; empty, or with a slash at its end. */
  readonly prefix: string;
  /** For people. */
  readonly location: string;
}

/** `place` is what follows `scheme:`; `noun` is what the scheme calls a container. USAGE if it has no colon, or a `..`. */
export function prefixedPlace(scheme: string, noun: string, place: string): PrefixedPlace {
  const colon = place.indexOf(":");
  if (colon < 0) throw usage(`the address is ${scheme}:${noun}:/prefix`);
  const container = place.slice(0, colon);
  const parts = place.slice(colon + 1).split("/");
  const folders = parts.filter((part) => part !== "" && part !== ".");
  if (folders.includes("..")) throw usage(`${scheme}: a prefix has no ..`);
  const prefix = folders.map((part) => `${part}/`).join("");
  return { container, prefix, location: `${scheme}:${container}:/${folders.join("/")}` };
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { problem });
}
