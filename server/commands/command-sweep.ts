/** Ends commands that nobody would end any more: no command stays as it is for ever. */
import type { CommandState } from "../../protocol/control/command.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { type CommandRow, standOf, writeStand } from "./command-rows.ts";
import { acceptedSilenceMs, afterVerdict, runningSilenceMs } from "./command-rules.ts";

const rowsAtOnce = 500;
/** What has ended is kept so long. */
const keptMs = 90 * 86_400_000;
/** What is ended late, by the clock of expiry or of silence. */
const limits: readonly {
  readonly state: CommandState;
  readonly since: "expires_ms" | "updated_ms";
  readonly afterMs: number;
  readonly verdict: "expired" | "failed";
  readonly text: string;
}[] = [
  {
    state: "queued",
    since: "expires_ms",
    afterMs: 0,
    verdict: "expired",
    text: "The machine did not fetch it in time.",
  },
  {
    state: "accepted",
    since: "expires_ms",
    afterMs: acceptedSilenceMs,
    verdict: "expired",
    text: "The machine fetched it, and nothing was heard of it after that.",
  },
  {
    state: "running",
    since: "updated_ms",
    afterMs: runningSilenceMs,
    verdict: "failed",
    text: "The machine began it, and nothing was heard of it for a week.",
  },
];

/** One look. May be done at any time, by several at once. */
export async function sweepCommands(ground: Pick<ServerGround, "database" | "now">): Promise<void> {
  const { database, now } = ground;
  for (const { state, since, afterMs, verdict, text } of limits)
    for (;;) {
      const rows: CommandRow[] = await database
        .selectFrom("commands")
        .selectAll()
        .where("state", "=", state)
        .where(since, "<", now() - afterMs)
        .limit(rowsAtOnce)
        .execute();
      await database.transaction().execute(async (queries) => {
        for (const row of rows)
          await writeStand(queries, row, afterVerdict(standOf(row), verdict, text, now()), now());
      });
      if (rows.length < rowsAtOnce) break;
    }
  await database
    .deleteFrom("commands")
    .where("state", "in", ["succeeded", "failed", "rejected", "expired", "canceled"])
    .where("updated_ms", "<", now() - keptMs)
    .execute();
}
