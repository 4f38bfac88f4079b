/** The thread's side of being started early: its code is loaded, its work comes later. */
import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import { threadLoaded } from "../../threads/ended-thread.ts";

/** What this thread is to do; waits until it is told. */
export async function givenWork<Work>(): Promise<Work> {
  if (parentPort === null) throw new Error("this is not a thread");
  threadLoaded();
  const [work] = (await once(parentPort, "message")) as [Work];
  return work;
}
