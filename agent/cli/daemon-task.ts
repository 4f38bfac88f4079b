/** Restores and checks that the daemon carries out, shown while they run. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RunIssue, RunProgress } from "../../protocol/run-order.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { LocalClient } from "../local-client/local-client.ts";
import { exitCodes, type Invocation } from "./command.ts";
import { showFailure } from "./error-report.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { counted, formatBytesShort, formatPercent } from "./quantities.ts";
import { taskFigureLines } from "./session-text.ts";

/** USAGE if a repository is named too: the policy has its own. */
export function assertPolicyAlone({ globals }: Invocation): void {
  if (globals.repository === undefined && globals.repositoryFile === undefined) return;
  throw new BackstayError("USAGE", { problem: "give either --policy or --repo" });
}

/** USAGE if an earlier repository is named, and no policy that has one. */
export function assertPolicyFor({ from }: { readonly from?: string }): void {
  if (from !== undefined)
    throw new BackstayError("USAGE", {
      problem: "--from needs the --policy whose backups these are",
    });
}

/** Shows a session until its end; its exit code. Ctrl-C leaves it running. */
export async function followTask(
  invocation: Invocation,
  client: LocalClient,
  sessionId: string,
): Promise<number> {
  const { screen, globals, signal } = invocation;
  if (globals.json) screen.line(JSON.stringify({ message_type: "session", session_id: sessionId }));
  else if (!globals.quiet) screen.note(`session ${sessionId}`);
  try {
    for await (const message of client.follow(sessionId, signal)) {
      if (message.type === "progress") showProgress(invocation, message.progress);
      else if (message.type === "issue") showIssue(invocation, message.issue);
      else if (message.type === "end") return showEnd(invocation, message.session);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    screen.note("no longer shown, and the session goes on: see `backstay status`");
  } finally {
    screen.eraseBlock();
  }
  return exitCodes.interrupted;
}

function showProgress({ screen, globals }: Invocation, progress: RunProgress): void {
  if (globals.json) screen.line(JSON.stringify({ message_type: "status", ...progress }));
  else if (!globals.quiet) screen.drawBlock([progressLine(progress)]);
}

function showIssue({ screen, globals }: Invocation, issue: RunIssue): void {
  const { path, message, code } = issue;
  const place = path === "" ? "" : `${printedName(path)}: `;
  const text = `${place}${printedMessage(message)} [${printedMessage(code)}]`;
  screen.note(globals.json ? JSON.stringify({ message_type: "error", ...issue }) : text);
}

function progressLine({
  phase,
  filesDone,
  filesTotal,
  bytesDone,
  bytesTotal,
}: RunProgress): string {
  const parts = [
    phase ?? "",
    bytesTotal === undefined ? "" : formatPercent(bytesDone, bytesTotal),
    formatBytesShort(bytesDone),
    filesTotal === undefined ? String(filesDone) : `${filesDone}/${filesTotal}`,
  ];
  return parts.filter((part) => part !== "").join("  ");
}

function showEnd({ screen, globals }: Invocation, session: SessionRecord): number {
  screen.eraseBlock();
  const exitCode = session.exitCode ?? exitCodes.failed;
  const { restored, checked, failure, outcome, endedBy, issues } = session;
  if (globals.json)
    screen.line(JSON.stringify({ message_type: "summary", outcome, ...restored, ...checked }));
  else if (!globals.quiet) {
    for (const line of taskFigureLines(session)) screen.line(line);
    if (issues > 0 && failure === undefined) screen.line(counted(issues, "warning"));
  }
  if (failure !== undefined) {
    const { code, message, remedy, lastWords = "" } = failure;
    showFailure(screen, { exitCode, message, remedy, code, trace: lastWords }, globals.json);
  } else if (outcome === "canceled" || outcome === "interrupted") {
    const why = endedBy === undefined ? "" : ` (${endedBy.text})`;
    const report = { exitCode, message: `The session was ${outcome}${why}.`, remedy: "" };
    showFailure(screen, { ...report, code: "INTERRUPTED", trace: "" }, globals.json);
  }
  return exitCode;
}
