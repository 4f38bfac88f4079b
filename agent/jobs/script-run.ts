/** Runs one script of a policy: no shell, a time limit for it and all that it starts, and the end of what it printed. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../platform/ports/clock.ts";
import { endProcessGroup } from "../../platform/process-group.ts";
import type { ScriptResult } from "../../protocol/session-record.ts";
import type { JobScript } from "./jobs.ts";
import { TextTail } from "./text-tail.ts";

const outputBytesMax = 8192;
/** From the request to end to the end. */
const graceMs = 10_000;
/** A program that a script left running may keep its output open for ever. */
const outputWaitMs = 1000;

export interface ScriptSurroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Ends the script. */
  readonly signal: AbortSignal;
  readonly redact: (text: string) => string;
}

/** Runs a script to its end; never rejects. */
export async function runScript(
  name: ScriptResult["name"],
  script: JobScript,
  surroundings: ScriptSurroundings,
): Promise<ScriptResult> {
  const { clock, environment, redact, signal } = surroundings;
  const startMs = clock.monotonic();
  const output = new TextTail(outputBytesMax);
  const result = (rest: Pick<ScriptResult, "outcome" | "exitCode">): ScriptResult => ({
    name,
    ...rest,
    durationMs: Math.round(clock.monotonic() - startMs),
    output: redact(output.text()),
  });
  if (signal.aborted) return result({ outcome: "canceled" });
  const [program = "", ...args] = script.command;
  // A group of its own: what it starts ends with it.
  const child = spawn(program, args, {
    detached: true,
    windowsHide: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: environment,
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => output.add(data));
  const over = new AbortController();
  const ended = endOf(child, clock);
  const stopped = stopWhenDue(child, script.timeoutMs, surroundings, over.signal);
  const end = await ended;
  over.abort();
  const why = await stopped;
  if (end instanceof Error) {
    output.add(Buffer.from(end.message));
    return result({ outcome: "not-started" });
  }
  if (why !== undefined) return result({ outcome: why });
  if (end === null) return result({ outcome: "failed" });
  return result({ outcome: end === 0 ? "done" : "failed", exitCode: end });
}

/** The exit code, null if a signal ended it, or why it could not be started. */
async function endOf(child: ChildProcess, clock: Clock): Promise<number | null | Error> {
  const closed = new Promise((resolve) => child.once("close", resolve));
  const end = await new Promise<number | null | Error>((resolve) => {
    child.once("error", resolve);
    child.once("exit", resolve);
  });
  const over = new AbortController();
  await Promise.race([closed, clock.sleep(outputWaitMs, over.signal)]);
  over.abort();
  child.stdout?.destroy();
  child.stderr?.destroy();
  return end;
}

/** Ends the script when it is canceled or takes too long; resolves with which, undefined if it ended by itself. */
async function stopWhenDue(
  child: ChildProcess,
  timeoutMs: number,
  { clock, signal }: ScriptSurroundings,
  over: AbortSignal,
): Promise<"timed-out" | "canceled" | undefined> {
  const isOver = (): boolean => over.aborted;
  let why: "timed-out" | "canceled" = "timed-out";
  try {
    await clock.sleep(timeoutMs, AbortSignal.any([over, signal]));
  } catch {
    if (isOver()) return undefined;
    why = "canceled";
  }
  if (child.pid === undefined) return undefined;
  endProcessGroup(child.pid, "end");
  try {
    await clock.sleep(graceMs, over);
  } catch {
    // It has ended; what it started may have not.
  }
  endProcessGroup(child.pid, "kill");
  return why;
}
