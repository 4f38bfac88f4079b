/** Sessions in words: as rows of a list, and one with all that is known of it. Pure. */
import { type RequestSums, requestsText } from "../../protocol/request-sums.ts";
import type { BackupFigures } from "../../protocol/run-order.ts";
import type { ScriptResult, SessionDetail, SessionRecord } from "../../protocol/session-record.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { counted, formatBytes, formatDuration, formatLocalTime } from "./quantities.ts";
import { outcomeText, standText } from "./status-text.ts";
import { tableLines } from "./text-table.ts";

const labelCells = 12;
const stateWords = {
  queued: "waits",
  preparing: "prepares",
  running: "runs",
  ending: "is being ended",
  finished: "ended",
} as const;

/** The lines of a table of sessions, in the order given. */
export function sessionTable(sessions: readonly SessionRecord[]): string[] {
  const rows = sessions.map((session) => [
    [session.id],
    [
      printedMessage(
        session.kind === "backup" ? session.policy : `${session.policy} (${session.kind})`,
      ),
    ],
    [formatLocalTime((session.startedMs ?? session.queuedMs) / 1000)],
    [durationText(session)],
    [session.state === "finished" ? outcomeText(session) : stateWords[session.state]],
    [session.figures === undefined ? "" : formatBytes(session.figures.dataAddedPacked)],
    [printedMessage(session.cause.text)],
  ]);
  return tableLines(
    [
      { title: "ID" },
      { title: "Policy" },
      { title: "Started" },
      { title: "Took", align: "right" },
      { title: "Result" },
      { title: "Stored", align: "right" },
      { title: "Why" },
    ],
    rows,
  );
}

/** Everything about one session, each of its warnings included. */
export function sessionLines({ session, issues }: SessionDetail): string[] {
  const { startedMs, finishedMs, failure, endedBy, figures } = session;
  return [
    row("session", session.id),
    row("policy", session.policy),
    row("asked for", `${formatLocalTime(session.queuedMs / 1000)}: ${session.cause.text}`),
    ...(session.attempt > 1 ? [row("attempt", String(session.attempt))] : []),
    ...(startedMs === undefined ? [] : [row("started", formatLocalTime(startedMs / 1000))]),
    ...(finishedMs === undefined
      ? [row("state", stateWords[session.state])]
      : [
          row("ended", `${formatLocalTime(finishedMs / 1000)}, after ${durationText(session)}`),
          row("result", `${outcomeText(session)}, exit code ${session.exitCode ?? 1}`),
        ]),
    ...(endedBy === undefined ? [] : [row("ended by", endedBy.text)]),
    ...(session.kind === "backup" ? [] : [row("kind", session.kind)]),
    ...taskLines(session),
    row(session.kind === "backup" ? "goes to" : "repository", placeText(session)),
    ...(session.locationBefore === undefined
      ? []
      : [row("way changed", `the session before went to ${session.locationBefore}`)]),
    ...(figures === undefined ? [] : figureLines(figures)),
    ...taskFigureLines(session),
    ...(session.traffic === undefined ? [] : [row("requests", trafficText(session.traffic))]),
    ...(failure === undefined
      ? []
      : [
          row("error", `${failure.message} [${failure.code}]`),
          row("", failure.remedy),
          ...textLines(failure.lastWords ?? ""),
        ]),
    ...session.scripts.flatMap(scriptLines),
    ...issueLines(session.issues, issues),
  ];
}

function row(label: string, text: string): string {
  return `${label.padEnd(labelCells)}${printedMessage(text)}`.trimEnd();
}

function durationText({ startedMs, finishedMs }: SessionRecord): string {
  return startedMs === undefined || finishedMs === undefined
    ? ""
    : formatDuration(finishedMs - startedMs);
}

function figureLines(figures: BackupFigures): string[] {
  const { filesNew, filesChanged, filesUnmodified } = figures;
  const stored = `${formatBytes(figures.dataAdded)} added, ${formatBytes(figures.dataAddedPacked)} stored`;
  const read = `${figures.totalFilesProcessed} files, ${formatBytes(figures.totalBytesProcessed)}`;
  return [
    row("snapshot", figures.snapshotId ?? "none: nothing had changed"),
    row("looked at", read),
    row("files", `${filesNew} new, ${filesChanged} changed, ${filesUnmodified} unmodified`),
    row("data", stored),
  ];
}

function placeText({ repository, route, location, stand }: SessionRecord): string {
  const place = location === undefined || location === repository ? "" : ` at ${location}`;
  const way = route === "gateway" ? ", through the gateway" : "";
  return `${repository}${place}${way}${standText(stand)}`;
}

/** What was asked of the storage. */
export function trafficText({ requests, bytesUp, bytesDown }: RequestSums): string {
  const moved = `${formatBytes(bytesUp)} sent, ${formatBytes(bytesDown)} received`;
  return `${requestsText(requests)}; ${moved}`;
}

/** What a restore or a check was asked to do. */
function taskLines({ task }: SessionRecord): string[] {
  if (task === undefined) return [];
  if (task.kind === "check") return [row("looks at", task.data)];
  const what = task.paths.length === 0 ? "everything" : task.paths.join(", ");
  return [row("restores", `${what} of ${task.snapshot} to ${task.target}`)];
}

/** What a restore or a check came to. */
export function taskFigureLines({ restored, checked }: SessionRecord): string[] {
  if (restored !== undefined) {
    const { snapshotId, entriesRestored, entriesUnchanged, entriesSkipped } = restored;
    return [
      row("snapshot", snapshotId),
      row("restored", `${entriesRestored} entries, ${formatBytes(restored.bytesRestored)}`),
      row("left", `${entriesUnchanged + entriesSkipped} entries as they were`),
      ...(restored.entriesFailed > 0 ? [row("failed", `${restored.entriesFailed} entries`)] : []),
      ...(restored.filesVerified > 0 ? [row("verified", `${restored.filesVerified} files`)] : []),
    ];
  }
  if (checked === undefined) return [];
  const { snapshots, packs, packsRead, bytesRead, problems } = checked;
  return [
    row("checked", `${counted(snapshots, "snapshot")}, ${counted(packs, "pack")}`),
    ...(packsRead > 0
      ? [row("read", `${counted(packsRead, "pack")}, ${formatBytes(bytesRead)}`)]
      : []),
    row("found", problems === 0 ? "no errors" : counted(problems, "error")),
  ];
}

function scriptLines({ name, outcome, exitCode, durationMs, output }: ScriptResult): string[] {
  const code = exitCode === undefined ? "" : `, exit code ${exitCode}`;
  return [
    row("script", `${name}: ${outcome}${code}, after ${formatDuration(durationMs)}`),
    ...textLines(output),
  ];
}

/** Text of other programs, line by line. */
function textLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => row("", line));
}

function issueLines(count: number, issues: SessionDetail["issues"]): string[] {
  if (count === 0) return [];
  const left = count > issues.length ? `; the first ${issues.length} were kept` : "";
  return [
    "",
    `${counted(count, "warning")}${left}:`,
    ...issues.map(({ path, message, code }) => {
      const place = path === "" ? "" : `${printedName(path)}: `;
      return `  ${place}${printedMessage(message)} [${printedMessage(code)}]`;
    }),
  ];
}
