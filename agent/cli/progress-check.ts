/** What `check` shows while it runs and at its end: for people, or as restic's JSON messages. */

import { RateEstimate } from "../../protocol/rate-estimate.ts";
import type {
  CheckEvents,
  CheckFinding,
  CheckHint,
  CheckProblem,
  CheckProblemKind,
  CheckProgress,
  CheckResult,
} from "../check/report/check-report.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import { shortIdLength } from "../repository/snapshot/snapshot-finder.ts";
import type { GlobalOptions } from "./global-options.ts";
import { printedMessage, printedName } from "./printed-text.ts";
import { ProgressClock } from "./progress-clock.ts";
import {
  counted,
  formatArrival,
  formatBytes,
  formatBytesShort,
  formatDuration,
  formatPercent,
  formatRate,
} from "./quantities.ts";
import type { Screen } from "./screen.ts";

export interface CheckView {
  readonly events: CheckEvents;
  /** Shows the result. */
  finish(result: CheckResult): void;
  /** Takes the status away; harmless if done before. */
  stop(): void;
}

export function checkView(screen: Screen, globals: GlobalOptions): CheckView {
  return globals.json ? new JsonCheckView(screen) : new TextCheckView(screen, globals);
}

const phaseNames = {
  snapshots: "snapshots",
  index: "indexes",
  packs: "packs",
  data: "data",
  damage: "tracing damage",
} as const;
/** Paths and snapshots of one problem that are shown; JSON has all that the check lists. */
const shownMax = 20;

class TextCheckView implements CheckView {
  readonly events: CheckEvents;
  readonly #screen: Screen;
  readonly #globals: GlobalOptions;
  readonly #clock: ProgressClock;
  readonly #startMs = performance.now();
  #rate = new RateEstimate();
  #latest: CheckProgress | undefined;

  constructor(screen: Screen, globals: GlobalOptions) {
    this.#screen = screen;
    this.#globals = globals;
    this.#clock = new ProgressClock(screen, globals, () => {
      if (this.#latest !== undefined) screen.drawBlock([this.#statusLine(this.#latest)]);
    });
    this.events = {
      progress: (progress) => this.#follow(progress),
      // Told again at the end, with what it costs; who reads along wants it now.
      ...(globals.verbosity > 0
        ? { found: (finding: CheckFinding) => screen.note(`found: ${findingText(finding)}`) }
        : {}),
      problem: (problem) => {
        for (const line of problemLines(problem)) screen.note(line);
      },
      hint: (hint) => screen.note(`hint: ${hintText(hint)}`),
    };
  }

  finish(result: CheckResult): void {
    this.stop();
    if (this.#globals.quiet) return;
    const { statistics, problemCount } = result;
    const { snapshots, indexFiles, packs, blobs, trees, keys, packsRead, bytesRead } = statistics;
    const elapsed = formatDuration(performance.now() - this.#startMs);
    const rows = [
      `checked ${counted(snapshots, "snapshot")}, ${counted(trees, "tree")}, ${counted(blobs, "blob")},`,
      `  ${counted(packs, "pack")}, ${counted(indexFiles, "index file")} and ${counted(keys, "key")} in ${elapsed}`,
    ];
    if (packsRead > 0)
      rows.push(`read ${counted(packsRead, "pack")} whole, ${formatBytes(bytesRead)}`);
    rows.push(
      problemCount === 0 ? "no errors were found" : `found ${counted(problemCount, "error")}`,
    );
    for (const row of rows) this.#screen.line(row);
  }

  stop(): void {
    this.#clock.stop();
    this.#screen.eraseBlock();
  }

  #follow(progress: CheckProgress): void {
    if (progress.phase !== this.#latest?.phase) this.#rate = new RateEstimate();
    this.#latest = progress;
    this.#rate.add(performance.now(), progress.bytesDone);
  }

  #statusLine(progress: CheckProgress): string {
    const { phase, done, total, bytesDone, bytesTotal, problems } = progress;
    const hasBytes = bytesTotal > 0;
    const parts = [
      `[${formatDuration(performance.now() - this.#startMs)}]`,
      phaseNames[phase],
      formatPercent(done, total),
      hasBytes ? `${formatBytesShort(bytesDone)} of ${formatBytesShort(bytesTotal)}` : "",
      bytesDone > 0 ? formatRate(this.#rate.perSecond()) : "",
      hasBytes ? formatArrival(this.#rate.remainingMs(bytesTotal)) : "",
      total > 0 ? `${done} of ${total}` : done > 0 ? String(done) : "",
      problems > 0 ? counted(problems, "error") : "",
    ];
    return parts.filter((part) => part !== "").join("  ");
  }
}

/** Kinds that say that the index is not what the packs are. */
const indexKinds: readonly CheckProblemKind[] = [
  "index-damaged",
  "pack-missing",
  "pack-layout",
  "pack-split",
];

class JsonCheckView implements CheckView {
  readonly events: CheckEvents;
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.events = {
      problem: (problem) => screen.note(JSON.stringify(problemMessage(problem))),
      hint: ({ kind, count, bytes, examples }) =>
        screen.note(JSON.stringify({ message_type: "hint", kind, count, bytes, examples })),
    };
  }

  finish({ problems, problemCount, hints, statistics }: CheckResult): void {
    const broken = problems
      .filter(({ kind, object }) => object.type === "pack" && kind === "pack-damaged")
      .map(({ object }) => object.id);
    this.#screen.line(
      JSON.stringify({
        message_type: "summary",
        num_errors: problemCount,
        broken_packs: broken.length === 0 ? null : [...new Set(broken)],
        suggest_repair_index: problems.some(({ kind }) => indexKinds.includes(kind)),
        suggest_prune: hints.some(({ kind }) => kind === "orphaned-packs"),
        // Beyond restic's.
        snapshots: statistics.snapshots,
        packs: statistics.packs,
        packs_read: statistics.packsRead,
        bytes_read: statistics.bytesRead,
      }),
    );
  }

  stop(): void {}
}

function problemMessage({ kind, object, details, harm }: CheckProblem): object {
  return {
    message_type: "error",
    message: findingText({ kind, object, details }),
    kind,
    object,
    details,
    snapshots: harm.snapshots,
    snapshot_count: harm.snapshotCount,
    paths: harm.paths.map(({ snapshot, path }) => ({ snapshot, path: utf8Text(path) })),
    path_count: harm.pathCount,
    is_complete: harm.isComplete,
  };
}

function findingText({ kind, object, details }: CheckFinding): string {
  const shown = details.map(printedMessage).join("; ");
  return `${kind}: ${object.type} ${object.id}${shown === "" ? "" : `: ${shown}`}`;
}

function problemLines(problem: CheckProblem): string[] {
  const { snapshots, snapshotCount, paths, pathCount, isComplete } = problem.harm;
  const lines = [`error: ${findingText(problem)}`];
  const atLeast = isComplete ? "" : "at least ";
  if (snapshotCount > 0) {
    const ids = snapshots.slice(0, shownMax).map((id) => id.slice(0, shortIdLength));
    const more = snapshotCount > ids.length ? ", …" : "";
    lines.push(`  hurts ${atLeast}${counted(snapshotCount, "snapshot")}: ${ids.join(", ")}${more}`);
  }
  for (const { snapshot, path } of paths.slice(0, shownMax))
    lines.push(`  hurts ${printedName(path)} in snapshot ${snapshot.slice(0, shortIdLength)}`);
  if (pathCount > shownMax)
    lines.push(`  and ${atLeast}${counted(pathCount - shownMax, "more path")}`);
  return lines;
}

const hintTexts: Readonly<Record<CheckHint["kind"], string>> = {
  "orphaned-packs": "packs are in no index; a prune removes them, they cost only space",
  "packs-indexed-twice": "packs are listed by several index files, which costs only space",
  "mixed-packs": "packs hold both data and trees, as very old versions wrote them",
  "lock-lost": "lock of this check was lost; others may have changed the repository meanwhile",
};

function hintText({ kind, count, bytes, examples }: CheckHint): string {
  const size = bytes > 0 ? ` (${formatBytes(bytes)})` : "";
  const ids = examples.slice(0, 3).map((id) => id.slice(0, shortIdLength));
  const such = ids.length === 0 ? "" : `, such as ${ids.join(", ")}`;
  return `${count} ${hintTexts[kind]}${size}${such}`;
}
