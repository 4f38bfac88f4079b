/** Servers that take long to start, one for all files of a test run. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { KeptServer } from "./kept-server.ts";
import type { Radosgw } from "./radosgw.ts";
import type { Swift } from "./swift.ts";

/** The Ceph gateway that all files of this test run share; it ends when the run has ended. */
export async function sharedRadosgw(): Promise<Radosgw> {
  const folder = path.join(tmpdir(), `backstay-radosgw-${process.ppid}`);
  return await sharedServer<Radosgw>(folder, new URL("radosgw-keeper.ts", import.meta.url));
}

/** The Swift of this test run, likewise. */
export async function sharedSwift(): Promise<Swift> {
  const folder = path.join(tmpdir(), `backstay-swift-${process.ppid}`);
  return await sharedServer<Swift>(folder, new URL("swift-keeper.ts", import.meta.url));
}

/** Waits for the server that `keeper` keeps for this test run, and starts the keeper if nobody has yet. */
async function sharedServer<Server>(folder: string, keeper: URL): Promise<Server> {
  if (isFirst(folder)) {
    const args = [fileURLToPath(keeper), folder, String(process.ppid)];
    spawn(process.execPath, args, { detached: true, stdio: "ignore" }).unref();
  }
  for (;;) {
    const ready = path.join(folder, "ready.json");
    if (existsSync(ready)) {
      const kept = JSON.parse(readFileSync(ready, "utf8")) as KeptServer<Server>;
      if (kept.server === undefined) throw new Error(`the server did not start: ${kept.failure}`);
      return kept.server;
    }
    await sleep(50);
  }
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
