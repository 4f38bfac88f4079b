/** `flock` of Linux: a lock on an open file that ends when its last descriptor is closed, `kill -9` included. */
import { declareCall, lastErrorName } from "./libc.ts";

const exclusive = 2;
const withoutWaiting = 4;

/** False if somebody else holds it. Throws an error with the system's `code` where there are no such locks. */
export function lockWholeFile(descriptor: number): boolean {
  const flock = declareCall("flock", "int", ["int", "int"]);
  if (flock(descriptor, exclusive | withoutWaiting) === 0) return true;
  const code = lastErrorName();
  if (code === "EAGAIN" || code === "EWOULDBLOCK") return false;
  throw Object.assign(new Error(`flock: ${code}`), { code });
}
