import { spawnSync } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";

const url = (file: string): string =>
  JSON.stringify(pathToFileURL(path.join(import.meta.dirname, file)).href);

/** Runs a program that starts and ends threads; a broken native module would take it down. */
function run(
  program: string,
  thread: string,
): { readonly code: number | null; readonly text: string } {
  const source = `
    import { endThread, startThread } from ${url("./ended-thread.ts")};
    const thread = new URL("data:text/javascript,${encodeURIComponent(thread)}");
    ${program}`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", source],
    {
      encoding: "utf8",
      timeout: 50_000,
    },
  );
  return { code: status, text: stdout + stderr };
}

const loads = `
  import ${url("../../platform/open-source-files.ts")};
  import { threadLoaded } from ${url("./ended-thread.ts")};`;

it("a thread that is ended while it loads has loaded first", () => {
  const program = `
    for (let round = 0; round < 10; round += 1) {
      const flag = new Int32Array(new SharedArrayBuffer(4));
      const worker = startThread(thread, { workerData: { flag, some: "work" } });
      worker.on("error", (error) => console.log(error));
      await new Promise((resolve) => setTimeout(resolve, round * 5));
      await endThread(worker);
      await endThread(worker);
      if (Atomics.load(flag, 0) !== 1) console.log("was cut off");
    }
    console.log("ended");`;
  const thread = `${loads}
    import { workerData } from "node:worker_threads";
    Atomics.store(workerData.given.flag, 0, 1);
    if (threadLoaded().some !== "work") throw new Error("another work");
    setInterval(() => {}, 1000);`;
  expect(run(program, thread)).toEqual({ code: 0, text: "ended\n" });
});

it("a thread that never comes to its end is ended nevertheless, and one that failed is not waited for", () => {
  const program = `
    const busy = startThread(thread, { workerData: "busy" });
    const failing = startThread(thread, { workerData: "failing" });
    failing.on("error", () => {});
    await Promise.all([endThread(busy), endThread(failing)]);
    console.log("ended");`;
  const thread = `
    import { workerData } from "node:worker_threads";
    import { threadLoaded } from ${url("./ended-thread.ts")};
    if (workerData.given === "failing") throw new Error("failed while it loaded");
    threadLoaded();
    for (;;) ;`;
  expect(run(program, thread)).toEqual({ code: 0, text: "ended\n" });
});
