/**
 * What a support bundle holds: a fixed list of reports, each made here from what the daemon tells. No file of the machine
 * is copied as it is but the agent's own logs, so that nothing new gets in by itself; names of backed up files stay out.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import path from "node:path";
import { processIdentity } from "../../platform/process-identity.ts";
import { logDirectory } from "../../platform/standard-paths.ts";
import { systemName } from "../../platform/system-name.ts";
import { programVersion } from "../../protocol/program-version.ts";
import type { SessionDetail } from "../../protocol/session-record.ts";
import type { Invocation } from "./command.ts";
import { doctorChecks } from "./command-doctor.ts";
import { daemonClient } from "./daemon-connection.ts";
import { failureLine } from "./error-report.ts";
import { redactedJson, redactedText } from "./redacted-text.ts";

export interface BundleEntry {
  /** Path in the archive. */
  readonly name: string;
  /** What it is, for the list that people confirm. */
  readonly about: string;
  readonly content: Uint8Array;
}

type Asking = Pick<Invocation, "environment" | "signal">;
type LocalClient = ReturnType<typeof daemonClient>;

const sessionsMax = 200;
const failedSessionsMax = 10;
const logLinesMax = 10_000;
const logFilesMax = 4;
const logFileBytesMax = 2 * 2 ** 20;
const logName = /^[a-z][a-z0-9-]{0,30}\.log(?:\.\d{1,3})?$/;

/** All entries, redacted. What can't be had is there as a line that says why. Rejects with the signal's reason only. */
export async function bundleEntries(asking: Asking): Promise<BundleEntry[]> {
  const { environment, signal } = asking;
  const client = daemonClient(environment);
  const entries = [
    await jsonEntry(signal, "about.json", "this program and this machine", async () => about()),
    await jsonEntry(signal, "doctor.json", "what `backstay doctor` finds", () =>
      doctorChecks(asking),
    ),
    await jsonEntry(signal, "status.json", "what `backstay status` shows", () =>
      client.status(signal),
    ),
    await jsonEntry(signal, "policies.json", "policies and every value that is in force", () =>
      policies(client, signal),
    ),
    await jsonEntry(signal, "sessions.json", `the last ${sessionsMax} sessions`, () =>
      client.sessions({ limit: sessionsMax }, signal),
    ),
    await jsonEntry(
      signal,
      "failed-sessions.json",
      "the last that failed, without names of files",
      () => failedSessions(client, signal),
    ),
    await textEntry(signal, "metrics.txt", "counters of the daemon", () => client.metrics(signal)),
    await textEntry(signal, "log.ndjson", `the last ${logLinesMax} lines of the log`, () =>
      logText(client, signal),
    ),
  ];
  return [...entries, ...logFiles(logDirectory(environment))];
}

function about(): object {
  const { hostName, uid } = processIdentity();
  const resolved = Intl.DateTimeFormat().resolvedOptions();
  return {
    program: `backstay ${programVersion}`,
    node: process.versions.node,
    ...systemName(),
    systemRelease: release(),
    processors: cpus().length,
    memoryBytes: totalmem(),
    hostName,
    uid,
    time: new Date().toISOString(),
    timeZone: resolved.timeZone,
  };
}

async function policies(client: LocalClient, signal: AbortSignal): Promise<object> {
  const list = await client.policies(signal);
  const effective: Record<string, unknown> = {};
  for (const { name } of list.policies)
    effective[name] = (await client.policy(name, signal)).effective;
  return { ...list, effective };
}

async function failedSessions(client: LocalClient, signal: AbortSignal): Promise<object[]> {
  const sessions = await client.sessions({ limit: sessionsMax }, signal);
  const failed = sessions.filter(
    ({ outcome }) => outcome !== undefined && outcome !== "success" && outcome !== "canceled",
  );
  const details: object[] = [];
  for (const { id } of failed.slice(0, failedSessionsMax)) {
    const { session, issues } = await client.session(id, signal);
    details.push({ session, issuesByCode: countByCode(issues) });
  }
  return details;
}

function countByCode(issues: SessionDetail["issues"]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of issues) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

async function logText(client: LocalClient, signal: AbortSignal): Promise<string> {
  const lines: string[] = [];
  for await (const message of client.log(logLinesMax, false, signal))
    if (message.type === "line") lines.push(`${JSON.stringify(redactedJson(message.line))}\n`);
  return lines.join("");
}

/** The ends of the newest log files that the daemon writes where there is no journal of the system. */
function logFiles(folder: string): BundleEntry[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => logName.test(name));
  } catch {
    // Not there, or not for this user: the log that the daemon gave is all there is.
    return [];
  }
  return names
    .toSorted()
    .slice(0, logFilesMax)
    .flatMap((name) => {
      const text = endOfFile(path.join(folder, name));
      const about = `the last ${logFileBytesMax / 2 ** 20} MiB of a log file`;
      return text === undefined
        ? []
        : [{ name: `log/${name}`, about, content: Buffer.from(redactedText(text)) }];
    });
}

/** Whole lines only: what a cut off line hides can't be recognised. Undefined for what is no file. */
function endOfFile(file: string): string | undefined {
  if (!lstatSync(file).isFile()) return undefined;
  const descriptor = openSync(file, "r");
  try {
    const { size } = lstatSync(file);
    const start = Math.max(0, size - logFileBytesMax);
    const buffer = Buffer.alloc(Math.min(size, logFileBytesMax));
    const length = readSync(descriptor, buffer, 0, buffer.length, start);
    const text = buffer.toString("utf8", 0, length);
    return start === 0 ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    closeSync(descriptor);
  }
}

async function jsonEntry(
  signal: AbortSignal,
  name: string,
  aboutIt: string,
  make: () => Promise<unknown>,
): Promise<BundleEntry> {
  return await textEntry(signal, name, aboutIt, async () => {
    const value = redactedJson(await make());
    return `${JSON.stringify(value, undefined, 2)}\n`;
  });
}

async function textEntry(
  signal: AbortSignal,
  name: string,
  aboutIt: string,
  make: () => Promise<string>,
): Promise<BundleEntry> {
  try {
    return { name, about: aboutIt, content: Buffer.from(redactedText(await make())) };
  } catch (error) {
    signal.throwIfAborted();
    const text = `not available: ${redactedText(failureLine(error))}\n`;
    return { name, about: `${aboutIt} (not available)`, content: Buffer.from(text) };
  }
}
