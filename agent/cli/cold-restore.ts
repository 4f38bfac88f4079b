/** What `restore` says of packs in an archive, and whether it goes on without them. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ColdPacks } from "../restore/fetch/cold-packs.ts";
import type { Invocation } from "./command.ts";

/** By class, from the vendors' pages. */
const waits = [
  "S3 GLACIER: 3 to 5 hours (bulk 5 to 12, expedited minutes); DEEP_ARCHIVE: 12 hours (bulk 48)",
  "Azure Archive: up to 15 hours (high priority: often less than one)",
];

/** STORE_ARCHIVED unless the restore is to go on: `--yes`, or a dry run. Each pack is named with `-v`, and to programs. */
export function tellOfColdPacks(
  { screen, globals }: Pick<Invocation, "screen" | "globals">,
  { cold, looked, needed }: ColdPacks,
  goesOn: boolean,
): void {
  const paths = cold.map((name) => `data/${name.slice(0, 2)}/${name}`);
  if (globals.json)
    screen.line(JSON.stringify({ message_type: "cold_packs", paths, looked, needed }));
  else {
    const of = looked === needed ? `${needed}` : `${looked} that were looked at of ${needed}`;
    screen.note(`${cold.length} packs of ${of} lie in an archive, which can't be read at once.`);
    screen.note("Bringing them back into a class that can be read takes time and costs money:");
    for (const wait of waits) screen.note(`  ${wait}`);
    screen.note("docs/immutability.md shows how. -v names the packs.");
    if (globals.verbosity > 0) for (const path of paths) screen.note(path);
  }
  if (goesOn) return;
  throw new BackstayError("STORE_ARCHIVED", {
    packs: cold.length,
    problem: "nothing was restored; --yes restores what needs none of them",
  });
}
