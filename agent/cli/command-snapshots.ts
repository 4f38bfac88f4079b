/** `backstay snapshots`: lists the snapshots. */
import { InvalidArgumentError } from "commander";
import { lockedSnapshots } from "../repository/retention/lock-record.ts";
import {
  findSnapshots,
  type NamedSnapshot,
  shortIdLength,
} from "../repository/snapshot/snapshot-finder.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { printedName } from "./printed-text.ts";
import { counted, formatBytes, formatLocalTime } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import {
  groupSnapshots,
  latestOfEach,
  parseGroupBy,
  type SnapshotGroup,
} from "./snapshot-group.ts";
import { snapshotJson } from "./snapshot-json.ts";
import { addSnapshotOptions, listOptions, type SnapshotOptions } from "./snapshot-options.ts";
import { tableLines } from "./text-table.ts";

/** Ms since 1970, by hex id. */
type LockedUntil = ReadonlyMap<string, number>;

interface SnapshotsOptions extends SnapshotOptions {
  readonly compact?: boolean;
  readonly latest?: number;
  readonly groupBy?: string;
}

export const snapshotsCommand: CliCommand<SnapshotsOptions> = {
  define(command) {
    command
      .argument("[snapshots...]", "ids or `latest`; all snapshots if none is given")
      .option("-c, --compact", "leave out the paths")
      .option("--latest <n>", "only the last n snapshots of each host and paths", count)
      .option("-g, --group-by <what>", "group by host, paths or tags, joined by commas");
    addSnapshotOptions(command);
    addExamples(command, [
      "backstay snapshots",
      "backstay snapshots --host web1 --latest 1",
      "backstay snapshots --json --group-by host,paths",
    ]);
  },

  async run(invocation) {
    const { options, operands, environment, screen, signal, globals } = invocation;
    const by = options.groupBy === undefined ? undefined : parseGroupBy(options.groupBy);
    const choice = listOptions(options, environment, screen);
    const [snapshots, locks] = await withRepository(
      invocation,
      { lock: "shared" },
      async (repository) => [
        await findSnapshots(repository, operands, signal, choice),
        await lockedSnapshots(repository, Date.now(), signal),
      ],
    );
    const shown =
      options.latest === undefined ? snapshots : latestOfEach(snapshots, options.latest);
    if (by !== undefined) showGroups(invocation, groupSnapshots(shown, by), locks);
    else if (globals.json) screen.line(jsonOf(shown, locks));
    else showTable(invocation, shown, locks);
    return choice.damagedIds.length > 0 ? exitCodes.failed : exitCodes.done;
  },
};

function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("Give a whole number above 0.");
  return Number(text);
}

function showGroups(
  invocation: Invocation<SnapshotsOptions>,
  groups: readonly SnapshotGroup[],
  locks: LockedUntil,
): void {
  const { screen, globals } = invocation;
  if (globals.json) {
    const parts = groups.map(({ key, snapshots }) => {
      return `{"group_key":${JSON.stringify(key)},"snapshots":${jsonOf(snapshots, locks)}}`;
    });
    screen.line(`[${parts.join(",")}]`);
    return;
  }
  for (const { key, snapshots } of groups) {
    const facts = [
      ...(key.hostname === "" ? [] : [`host ${printedName(key.hostname)}`]),
      ...(key.paths === null ? [] : [`paths ${key.paths.map(printedName).join(", ")}`]),
      ...(key.tags === null ? [] : [`tags ${key.tags.map(printedName).join(", ")}`]),
    ];
    screen.line(`snapshots of ${facts.length === 0 ? "all others" : facts.join("; ")}:`);
    showTable(invocation, snapshots, locks);
  }
}

function jsonOf(snapshots: readonly NamedSnapshot[], locks: LockedUntil): string {
  const texts = snapshots.map((each) => {
    const untilMs = locks.get(each.id);
    const until = untilMs === undefined ? "" : new Date(untilMs).toISOString();
    return snapshotJson(each, until === "" ? "" : `,"locked_until":"${until}"`);
  });
  return `[${texts.join(",")}]`;
}

function showTable(
  { screen, options, globals }: Invocation<SnapshotsOptions>,
  snapshots: readonly NamedSnapshot[],
  locks: LockedUntil,
): void {
  if (snapshots.length === 0) {
    if (!globals.quiet) screen.note("no snapshots");
    return;
  }
  const compact = options.compact === true;
  const hasSize = snapshots.some(({ snapshot }) => snapshot.summary !== undefined);
  const hasLocks = snapshots.some(({ id }) => locks.has(id));
  const rows = snapshots.map(({ id, snapshot }) => [
    [id.slice(0, shortIdLength)],
    [formatLocalTime(snapshot.time.seconds)],
    [printedName(snapshot.hostname)],
    compact ? [snapshot.tags.map(printedName).join(",")] : snapshot.tags.map(printedName),
    ...(compact ? [] : [snapshot.paths.map(printedName)]),
    ...(hasSize ? [[sizeOf(snapshot.summary?.totalBytesProcessed)]] : []),
    ...(hasLocks ? [[dayOf(locks.get(id))]] : []),
  ]);
  const titles = ["ID", "Time", "Host", "Tags", ...(compact ? [] : ["Paths"])];
  const columns = [
    ...titles.map((title) => ({ title })),
    ...(hasSize ? [{ title: "Size", align: "right" as const }] : []),
    ...(hasLocks ? [{ title: "Locked until" }] : []),
  ];
  for (const line of tableLines(columns, rows)) screen.line(line);
  if (!globals.quiet) screen.line(counted(snapshots.length, "snapshot"));
}

function dayOf(untilMs: number | undefined): string {
  return untilMs === undefined ? "" : formatLocalTime(untilMs / 1000);
}

function sizeOf(bytes: number | undefined): string {
  return bytes === undefined ? "" : formatBytes(bytes);
}
