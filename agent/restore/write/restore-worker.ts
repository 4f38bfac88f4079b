/** The thread of a restore worker: takes jobs, answers each. */
import { parentPort, workerData } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { openTargetFiles } from "../../../platform/open-target-files.ts";
import { RestoreWork } from "./restore-work.ts";
import type { WorkJob, WorkStart } from "./work-messages.ts";

const work = new RestoreWork(workerData as WorkStart, openTargetFiles(), openCodec());

parentPort?.on("message", (job: WorkJob | "close") => {
  if (job !== "close") parentPort?.postMessage(work.run(job));
  else {
    work.close();
    parentPort?.close();
  }
});
