/**
 * A process that backs up and may be killed, also by itself. Its argument is JSON: the repository's folder, the cache's, the
 * source, and when to kill itself. It says `start` on stdout when it begins, and in the end its summary or its error as one line of JSON.
 */
import { runBackup } from "../../agent/backup/run-backup.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { openStore } from "../../storage/open-store.ts";
import { scenePassword } from "../backup/backup-scene.ts";
import type { KillMoment } from "../backup/kill-moment.ts";
import { withSave } from "../backup/save-hook.ts";

interface ChildArguments {
  readonly repository: string;
  readonly cacheRoot: string;
  readonly source: string;
  readonly killAfter?: KillMoment;
}

const given = JSON.parse(process.argv[2] ?? "{}") as ChildArguments;
const issues: { path: string; code: string; during: string }[] = [];
const controller = new AbortController();
process.once("SIGTERM", () => controller.abort());

async function run(): Promise<object> {
  const { signal } = controller;
  const password = new TextEncoder().encode(scenePassword);
  const { cacheRoot } = given;
  const local = openStore(given.repository);
  let saves = 0;
  const store = withSave(local, async (handle, data, saving) => {
    await local.save(handle, data, saving);
    const { type, saves: savesMax } = given.killAfter ?? {};
    if (type === undefined || type === handle.type) saves += 1;
    if (saves === savesMax) process.kill(process.pid, "SIGKILL");
  });
  const repository = await Repository.open(store, { password, cacheRoot, signal });
  process.stdout.write("start\n");
  return await runBackup(
    repository,
    {
      paths: [new Uint8Array(Buffer.from(given.source))],
      hostName: "scene",
      tags: [],
      selection: { patterns: [], markers: [], oneFileSystem: false, ownPlaces: [] },
      compression: "auto",
      dryRun: false,
      lockWaitMs: 0,
    },
    { issue: ({ path, code, during }) => issues.push({ path, code, during }) },
    signal,
  );
}

try {
  const summary = await run();
  process.stdout.write(`${JSON.stringify({ ...summary, named: issues })}\n`);
} catch (error) {
  const code = error instanceof BackstayError ? error.code : (error as Error).name;
  process.stdout.write(`${JSON.stringify({ error: code, message: String(error) })}\n`);
  process.exitCode = 1;
}
