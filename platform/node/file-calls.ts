/** The asynchronous file calls that durable writing and the local store use; tests put failing ones in their place. */
import * as promises from "node:fs/promises";

export type FileCalls = Pick<
  typeof promises,
  | "open"
  | "link"
  | "rename"
  | "unlink"
  | "mkdir"
  | "opendir"
  | "stat"
  | "lstat"
  | "chmod"
  | "statfs"
>;

/** Those of Node itself. */
export const fileCalls: FileCalls = promises;
