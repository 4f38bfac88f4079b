/** The status in words: is everything backed up, what runs, what comes next and why, and what is wrong. Pure. */
import { type ObeyedStand, stateOf } from "../../protocol/control/repository-stand.ts";
import type { HealthReason } from "../../protocol/local-api/health.ts";
import { isOverdue } from "../../protocol/local-api/overall-health.ts";
import type { PolicyStatus, StatusReport } from "../../protocol/local-api/status.ts";
import type {
  QueuedSession,
  RunningSession,
  SessionRecord,
} from "../../protocol/session-record.ts";
import { printedMessage } from "./printed-text.ts";
import {
  counted,
  formatArrival,
  formatBytesShort,
  formatLocalTime,
  formatPercent,
} from "./quantities.ts";
import { spokenAgo, spokenDuration, spokenMoment } from "./spoken-time.ts";
import { type Tone, type ToneLine, toneLine } from "./tone-line.ts";

const labelCells = 20;

/** The lines of a report, as it is at `nowMs` by the daemon's clock. */
export function statusLines(report: StatusReport, nowMs: number): ToneLine[] {
  const { agent, health, policies } = report;
  const known = new Set(policies.map(({ name }) => name));
  const host = printedMessage(agent.hostName);
  const headline = {
    ok: toneLine(`${host}: everything is as it should be.`, "good"),
    warning: toneLine(`${host}: something needs attention.`, "warning"),
    error: toneLine(`${host}: something is wrong.`, "bad"),
  }[health.level];
  return [
    headline,
    ...reasonLines(health.reasons),
    ...pauseLines(report, nowMs),
    ...(policies.length === 0
      ? ["", "There is no policy yet, so nothing is backed up."].map((text) => toneLine(text))
      : policies.flatMap((policy) => policyLines(policy, report, nowMs))),
    ...strangers(report, known, nowMs),
    toneLine(""),
    ...serverLines(report, nowMs),
    toneLine(agentLine(report, nowMs), "faint"),
  ];
}

function agentLine({ agent, view }: StatusReport, nowMs: number): string {
  const limits = view === "limited" ? "; places are shown to administrators only" : "";
  const mode = agent.mode === "managed" ? "managed by a server" : "with its own policies";
  return `Backstay ${printedMessage(agent.version)} ${mode}, up for ${spokenDuration(nowMs - agent.startMs)}${limits}`;
}

/** Only of a machine that has a server, or asks for one. */
function serverLines({ agent: { server } }: StatusReport, nowMs: number): ToneLine[] {
  if (server === undefined) return [];
  const { state, urls, tenant, lastContactMs, problem, serial, reportsWaiting, licence } = server;
  const place = urls.length === 0 ? "server" : `server ${printedMessage(urls[0])}`;
  const why = problem === undefined ? "" : `: ${printedMessage(problem)}`;
  if (state !== "enrolled") return [toneLine(`${place}: ${withoutServer[state]}${why}`, "warning")];
  const parts = [
    `${place} (${printedMessage(tenant ?? "")})`,
    lastContactMs === undefined ? "no contact yet" : `heard ${spokenAgo(lastContactMs, nowMs)}`,
    serial === undefined ? "no policies yet" : `policies ${serial}`,
    reportsWaiting === 0 ? "" : `${counted(reportsWaiting, "report")} to send`,
    licence === undefined || licence === "valid" ? "" : `licence: ${licence}`,
    skewText(server.clockOffsetMs),
  ];
  const text = parts.filter((part) => part !== "").join(", ");
  return [toneLine(`${text}${why}`, problem === undefined ? "faint" : "warning")];
}

const withoutServer = {
  enrolling: "not admitted yet",
  refused: "it does not admit this machine",
  damaged: "the identity of this machine can't be read",
} as const;

function skewText(offsetMs: number): string {
  if (offsetMs === 0) return "";
  return `clock ${spokenDuration(Math.abs(offsetMs))} ${offsetMs > 0 ? "behind" : "ahead of"} it`;
}

function reasonLines(reasons: readonly HealthReason[]): ToneLine[] {
  return reasons.flatMap(({ severity, text, remedy, acknowledgedMs }) => {
    const isKnown = acknowledgedMs !== undefined;
    const tone: Tone = isKnown || severity === "info" ? "plain" : toneOf[severity];
    const known = isKnown ? " (known)" : "";
    return [
      toneLine(`  ${severity}${known}: ${printedMessage(text)}`, tone),
      ...(remedy === "" ? [] : [toneLine(`    ${printedMessage(remedy)}`)]),
    ];
  });
}

const toneOf = { warning: "warning", error: "bad" } as const;

/** Pauses of everything; those of one policy stand with it. */
function pauseLines({ pauses }: StatusReport, nowMs: number): ToneLine[] {
  return pauses
    .filter(({ policy }) => policy === undefined)
    .map((pause) => toneLine(`  paused ${pauseEnd(pause, nowMs)}`, "warning"));
}

function pauseEnd(pause: { untilMs?: number; reason: string }, nowMs: number): string {
  const end =
    pause.untilMs === undefined
      ? "until `backstay resume`"
      : `until ${spokenMoment(pause.untilMs, nowMs).replace(/^on /, "")}`;
  return `${end}: ${printedMessage(pause.reason)}`;
}

function policyLines(policy: PolicyStatus, report: StatusReport, nowMs: number): ToneLine[] {
  const { name, kind, enabled, next, destination } = policy;
  const isOfPolicy = ({ session }: { session: SessionRecord }): boolean => session.policy === name;
  const pauses = report.pauses.filter((pause) => pause.policy === name);
  return [
    toneLine(""),
    toneLine(`${name} (${kind}${enabled ? "" : ", switched off"})`, "strong"),
    ...report.running.filter(isOfPolicy).flatMap((running) => runningLines(running, nowMs)),
    ...report.waiting.filter(isOfPolicy).map((waiting) => waitingLine(waiting, nowMs)),
    ...pauses.map((pause) => row("paused", pauseEnd(pause, nowMs), "warning")),
    lastGoodLine(policy, nowMs),
    ...lastEndedLines(policy, nowMs),
    row("next run", nextText(next, nowMs)),
    ...(destination.place === "" ? [] : [destinationLine(destination)]),
  ];
}

function row(label: string, text: string, tone: Tone = "plain"): ToneLine {
  return toneLine(`  ${label.padEnd(labelCells)}${text}`, tone);
}

function lastGoodLine(policy: PolicyStatus, nowMs: number): ToneLine {
  const { lastGood, maximumAgeMs, enabled } = policy;
  const tone = isOverdue(policy, nowMs)
    ? "bad"
    : enabled && lastGood !== undefined
      ? "good"
      : "plain";
  const limit = `may be ${spokenDuration(maximumAgeMs)} old at most`;
  if (lastGood === undefined) return row("last good backup", `none yet; ${limit}`, tone);
  const atMs = lastGood.startedMs ?? lastGood.queuedMs;
  const left = lastGood.outcome === "warning" ? ", with warnings" : "";
  const when = `${spokenAgo(atMs, nowMs)} (${formatLocalTime(atMs / 1000)})${left}`;
  return row("last good backup", `${when}; ${limit}`, tone);
}

/** Only if it says more than the line of the last good one. */
function lastEndedLines({ lastEnded, failuresSinceGood }: PolicyStatus, nowMs: number): ToneLine[] {
  if (lastEnded === undefined || lastEnded.outcome === "success") return [];
  const endMs = lastEnded.finishedMs ?? lastEnded.queuedMs;
  const words = outcomeText(lastEnded);
  const message = lastEnded.failure === undefined ? "" : `: ${lastEnded.failure.message}`;
  const since =
    failuresSinceGood > 0 ? [row("failures since", String(failuresSinceGood), "warning")] : [];
  return [
    row(
      "last session",
      printedMessage(`${words} ${spokenAgo(endMs, nowMs)}${message}`),
      lastEnded.outcome === "canceled" ? "plain" : "warning",
    ),
    ...since,
  ];
}

/** How a session ended, in a word or two. */
export function outcomeText({ outcome, issues }: SessionRecord): string {
  switch (outcome) {
    case "success":
      return "done";
    case "warning":
      return issues > 0 ? `done with ${counted(issues, "warning")}` : "done with warnings";
    case "failure":
      return "failed";
    case "canceled":
      return "canceled";
    case "interrupted":
      return "interrupted";
    default:
      return "not ended";
  }
}

function nextText({ atMs, reason }: PolicyStatus["next"], nowMs: number): string {
  const why = printedMessage(reason);
  if (atMs === undefined) return why;
  const when = atMs <= nowMs ? "due now" : spokenMoment(atMs, nowMs);
  return why === "" ? when : `${when}: ${why}`;
}

function destinationLine({
  place,
  route,
  stand,
  reachable,
}: PolicyStatus["destination"]): ToneLine {
  const way = `${route === "gateway" ? ", through the gateway" : ""}${standText(stand)}`;
  const out = reachable === false ? ", out of reach" : "";
  return row("goes to", `${printedMessage(place)}${way}${out}`, out === "" ? "plain" : "warning");
}

function runningLines(
  { session, progress, remainingMs, endRequest }: RunningSession,
  nowMs: number,
) {
  const since = session.startedMs ?? session.queuedMs;
  const cause = `for ${spokenDuration(nowMs - since)}: ${printedMessage(session.cause.text)}`;
  const ending =
    endRequest === undefined ? [] : [row("", `is being ended: ${printedMessage(endRequest.text)}`)];
  const { filesDone = 0, bytesDone = 0, filesTotal, bytesTotal, issues = 0 } = progress ?? {};
  const parts = [
    bytesTotal === undefined ? "" : formatPercent(bytesDone, bytesTotal),
    `${formatBytesShort(bytesDone)}${bytesTotal === undefined ? "" : ` of ${formatBytesShort(bytesTotal)}`}`,
    `${filesDone}${filesTotal === undefined ? "" : `/${filesTotal}`} files`,
    formatArrival(remainingMs),
    issues > 0 ? counted(issues, "warning") : "",
  ].filter((part) => part !== "");
  return [
    row("runs now", progress === undefined ? stateText(session) : parts.join("  "), "strong"),
    row("", cause),
    ...ending,
  ];
}

function stateText({ state }: SessionRecord): string {
  return {
    queued: "waits",
    preparing: "prepares",
    running: "begins",
    ending: "ends",
    finished: "ended",
  }[state];
}

function waitingLine({ session, hold }: QueuedSession, nowMs: number): ToneLine {
  const cause = `${printedMessage(session.cause.text)}, ${spokenAgo(session.queuedMs, nowMs)}`;
  if (hold === undefined) return row("starts now", cause, "strong");
  const until =
    hold.untilMs === undefined
      ? ""
      : `, until ${spokenMoment(hold.untilMs, nowMs).replace(/^on /, "")}`;
  return row("waits for", `${printedMessage(hold.text)}${until} (${cause})`, "warning");
}

/** Sessions of policies that are gone. */
function strangers(report: StatusReport, known: ReadonlySet<string>, nowMs: number): ToneLine[] {
  const running = report.running.filter(({ session }) => !known.has(session.policy));
  const waiting = report.waiting.filter(({ session }) => !known.has(session.policy));
  return [...running, ...waiting].flatMap((each) => [
    toneLine(""),
    toneLine(`${printedMessage(each.session.policy)} (removed)`, "strong"),
    ...("hold" in each || each.session.state === "queued"
      ? [waitingLine(each, nowMs)]
      : runningLines(each, nowMs)),
  ]);
}

/** `, in maintenance (so says its storage)`; nothing for a repository that takes part. */
export function standText(stand: ObeyedStand | undefined): string {
  const state = stateOf(stand?.modes ?? []);
  if (stand === undefined || state === "active") return "";
  const who = stand.source === "storage" ? "its storage" : "the server";
  return `, ${state === "sealed" ? "sealed" : "in maintenance"} (so says ${who})`;
}
