/** The thread of a restore worker: is told what to work on, then takes jobs and answers each. */
import { parentPort } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { openTargetFiles } from "../../../platform/open-target-files.ts";
import { RestoreWork } from "./restore-work.ts";
import type { WorkJob, WorkStart } from "./work-messages.ts";

type Message = WorkJob | { readonly kind: "start"; readonly start: WorkStart } | "close";

const files = openTargetFiles();
const codec = openCodec();
let work: RestoreWork | undefined;

parentPort?.on("message", (message: Message) => {
  if (message === "close") {
    work?.close();
    parentPort?.close();
  } else if (message.kind === "start") work = new RestoreWork(message.start, files, codec);
  else parentPort?.postMessage(work?.run(message));
});
