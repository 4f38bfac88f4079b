/** `backstay run POLICY`: asks the daemon for a run now, and shows it if that is wanted. */
import type { BackupFigures, RunIssue, RunProgress } from "../../protocol/run-order.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { BackupIssue, BackupProgress, BackupSummary } from "../backup/backup-request.ts";
import type { LocalClient } from "../local-client/local-client.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { showFailure } from "./error-report.ts";
import { printedMessage } from "./printed-text.ts";
import { type BackupView, backupView } from "./progress-backup.ts";
import { counted } from "./quantities.ts";

interface RunOptions {
  readonly wait?: boolean;
}

export const runCommand: CliCommand<RunOptions> = {
  worksUnread: true,
  endsByInterruption: true,

  define(command) {
    command
      .argument("<policy>", "name of the policy")
      .option("--wait", "show the run and end with its exit code; Ctrl-C leaves it running");
    addExamples(command, ["backstay run etc", "backstay run etc --wait"]);
  },

  async run(invocation) {
    const { operands, environment, options, signal } = invocation;
    const [policy] = operands;
    const client = daemonClient(environment);
    const { sessionId, joined } = await client.run(policy, signal);
    tellBegin(invocation, policy, sessionId, joined);
    return options.wait === true
      ? await follow(invocation, client, policy, sessionId)
      : exitCodes.done;
  },
};

function tellBegin(
  { screen, globals }: Invocation,
  policy: string,
  sessionId: string,
  joined: boolean,
): void {
  if (globals.json)
    screen.line(JSON.stringify({ message_type: "session", session_id: sessionId, policy, joined }));
  else if (!globals.quiet)
    screen.note(
      joined
        ? `${policy} was asked for already: session ${sessionId}`
        : `session ${sessionId} of ${policy}`,
    );
}

async function follow(
  invocation: Invocation<RunOptions>,
  client: LocalClient,
  policy: string,
  sessionId: string,
): Promise<number> {
  const { screen, globals, signal } = invocation;
  const view = backupView(screen, globals, false);
  let hasWaited = false;
  try {
    for await (const message of client.follow(sessionId, signal)) {
      if (message.type === "progress") view.events.progress?.(progressOf(message.progress));
      else if (message.type === "issue") view.events.issue?.(issueOf(message.issue));
      else if (message.type === "lost")
        screen.note(
          `${counted(message.count, "warning")} not shown: see \`backstay session ${sessionId}\``,
        );
      else if (message.type === "end") return showEnd(invocation, view, message.session);
      else if (message.type === "session" && message.session.state === "queued" && !hasWaited) {
        hasWaited = true;
        await tellWaiting(invocation, client, sessionId);
      }
    }
  } catch (error) {
    view.stop();
    if (!signal.aborted) throw error;
    const advice = `see \`backstay status\`; \`backstay stop ${policy}\` ends it`;
    screen.note(`no longer shown, and the run goes on: ${advice}`);
  } finally {
    view.stop();
  }
  return exitCodes.interrupted;
}

/** Says once what a session waits for, if it does not start at once. */
async function tellWaiting(
  { screen, globals, signal }: Invocation,
  client: LocalClient,
  sessionId: string,
): Promise<void> {
  if (globals.quiet || globals.json) return;
  const { waiting } = await client.status(signal);
  const hold = waiting.find(({ session }) => session.id === sessionId)?.hold;
  if (hold !== undefined) screen.note(`waiting for ${printedMessage(hold.text)}`);
}

/** Shows how a session ended; its exit code. */
function showEnd(
  { screen, globals }: Invocation,
  view: BackupView,
  session: SessionRecord,
): number {
  view.stop();
  for (const { name, outcome, exitCode } of session.scripts)
    if (outcome !== "done") {
      const code = exitCode === undefined ? "" : ` (exit code ${exitCode})`;
      screen.note(`error: ${name} script ${outcome}${code}`);
    }
  if (session.figures !== undefined) view.finish(summaryOf(session.figures), session.traffic);
  const exitCode = session.exitCode ?? exitCodes.failed;
  if (session.failure !== undefined) {
    const { code, message, remedy, lastWords = "" } = session.failure;
    showFailure(screen, { exitCode, message, remedy, code, trace: lastWords }, globals.json);
  } else if (session.outcome === "canceled" || session.outcome === "interrupted") {
    const why = session.endedBy === undefined ? "" : ` (${session.endedBy.text})`;
    const report = { exitCode, message: `The session was ${session.outcome}${why}.`, remedy: "" };
    showFailure(screen, { ...report, code: "INTERRUPTED", trace: "" }, globals.json);
  }
  return exitCode;
}

function progressOf(progress: RunProgress): BackupProgress {
  const { filesTotal, bytesTotal } = progress;
  return { ...progress, filesTotal, bytesTotal };
}

function issueOf(issue: RunIssue): BackupIssue {
  return { ...issue, during: "archival" };
}

function summaryOf(figures: BackupFigures): BackupSummary {
  const { snapshotId, parentId } = figures;
  return { ...figures, snapshotId, parentId };
}
