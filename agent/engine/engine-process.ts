/**
 * The engine: one process for one run. It does nothing before it has its order, ends in order when it is asked to or
 * when nobody waits for it any more, and leaves its report twice: as its last message, and in a file.
 */
import { Socket } from "node:net";
import path from "node:path";
import type { Writable } from "node:stream";
import { outliveHangUp } from "../../platform/hang-up.ts";
import { openClock } from "../../platform/open-clock.ts";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { redactor } from "../../protocol/redaction.ts";
import { requestsOf } from "../../protocol/request-sums.ts";
import { type RunOrder, type RunReport, secretsOf } from "../../protocol/run-order.ts";
import { RequestCounts } from "../../storage/request-counts.ts";
import { doWork } from "./do-work.ts";
import { EngineOutput } from "./engine-output.ts";
import { IssuedAccounts } from "./issued-accounts.ts";
import { readOrder } from "./order-input.ts";
import { EndOfRun, reportOfFailure } from "./run-report.ts";

/** So long a reader may take for the last messages. */
const lastMessagesMs = 30_000;

/** Runs the order of this process's standard input, and ends the process with the report's exit code. */
export async function runEngineProcess(): Promise<never> {
  // Before there are threads, which inherit it.
  openProcessLimits().yieldToOthers();
  const ending = new AbortController();
  const endBecause = (why: string): void => ending.abort(new EndOfRun(why));
  // A service manager tells all processes of a service, and the daemon tells its engines: once or twice is the same.
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => endBecause(name));
  outliveHangUp();
  const counts = new RequestCounts();
  let order: RunOrder | undefined;
  let output: EngineOutput;
  const accounts = new IssuedAccounts({
    clock: openClock(),
    ask: (route, isRefused) => output.account(route, isRefused),
    hide: (secrets) => output.hide(secrets),
  });
  try {
    order = await readOrder(process.stdin, {
      gone: () => endBecause("the order's sender is gone"),
      answered: (answer) => accounts.answered(answer),
    });
    if (order === undefined) process.exit(1);
    output = new EngineOutput(messageStream(), redactorOf(order), () =>
      endBecause("nobody reads the messages"),
    );
  } catch (error) {
    output = new EngineOutput(
      messageStream(),
      (text) => text,
      () => undefined,
    );
    return await finish(output, undefined, reportOfFailure(error, 0, ending.signal));
  }
  const failed = Promise.withResolvers<never>();
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.on(event, (error: unknown) => failed.reject(error));
  try {
    const report = await Promise.race([
      doWork(order, output, { counts, accounts: (route) => accounts.of(route) }, ending.signal),
      failed.promise,
    ]);
    return await finish(output, order, withTraffic(report, counts));
  } catch (error) {
    const report = reportOfFailure(error, output.issues, ending.signal);
    if (report.error?.kind === "bug") process.stderr.write(`${traceOf(error, output)}\n`);
    return await finish(output, order, withTraffic(report, counts));
  }
}

function withTraffic(report: RunReport, { sums }: RequestCounts): RunReport {
  return requestsOf(sums) === 0 ? report : { ...report, traffic: sums };
}

async function finish(
  output: EngineOutput,
  order: RunOrder | undefined,
  report: RunReport,
): Promise<never> {
  if (order?.reportFile !== undefined) await leaveReport(output, order.reportFile, report);
  setTimeout(() => process.exit(report.exitCode), lastMessagesMs).unref();
  await output.finish(report);
  process.exit(report.exitCode);
}

/** For a daemon that does not live to read the messages. */
async function leaveReport(output: EngineOutput, file: string, report: RunReport): Promise<void> {
  const text = output.redacted(JSON.stringify(report));
  const files = openDurableFiles();
  try {
    await files.createFile(
      path.resolve(file),
      Buffer.from(text),
      0o600,
      new AbortController().signal,
    );
  } catch (error) {
    // The report is told as a message too; a full disk must not turn a good run into a failed one.
    process.stderr.write(`the report could not be left in a file: ${String(error)}\n`);
  }
}

/** Standard output that never blocks this thread: locks have to be refreshed whether anybody reads or not. */
function messageStream(): Writable {
  try {
    return new Socket({ fd: 1, readable: false, writable: true });
  } catch {
    // It is a file.
    return process.stdout;
  }
}

function redactorOf({ repository }: RunOrder): (text: string) => string {
  return redactor(secretsOf(repository));
}

function traceOf(error: unknown, output: EngineOutput): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return output.redacted(text);
}
