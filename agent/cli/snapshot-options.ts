/** The options by which commands choose snapshots: `--host`, `--tag`, `--path`. */
import path from "node:path";
import type { Command } from "commander";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { type ListOptions, shortIdLength } from "../repository/snapshot/snapshot-finder.ts";
import { collect } from "./command.ts";
import type { Environment } from "./environment.ts";
import { failureLine } from "./error-report.ts";
import type { Screen } from "./screen.ts";

/** What commander makes of the options below. */
export interface SnapshotOptions {
  readonly host: readonly string[];
  readonly tag: readonly string[];
  readonly path: readonly string[];
}

/** Adds the options; `when` says when they matter, such as ` with "latest"`. */
export function addSnapshotOptions(command: Command, when = ""): void {
  command
    .option("-H, --host <host>", `only snapshots of this host${when} (repeatable)`, collect, [])
    .option(
      "--tag <tag[,tag…]>",
      `only snapshots with all these tags${when} (repeatable: any list)`,
      collect,
      [],
    )
    .option("--path <path>", `only snapshots of this path${when} (repeatable: all)`, collect, []);
}

/** The filter that the options stand for. Damaged snapshots are named on stderr and passed over; `damaged` counts them. */
export function listOptions(
  options: SnapshotOptions,
  environment: Environment,
  screen: Screen,
): ListOptions & { readonly damagedIds: string[] } {
  const usual = environment["BACKSTAY_HOST"] ?? environment["RESTIC_HOST"] ?? "";
  const hosts = options.host.length === 0 && usual !== "" ? [usual] : options.host;
  const damagedIds: string[] = [];
  return {
    filter: {
      // `--host ""` takes back what the environment says.
      hosts: hosts.length === 1 && hosts[0] === "" ? [] : hosts,
      tagLists: options.tag.map((list) => list.split(",").map((tag) => tag.trim())),
      paths: options.path.map((given) => path.resolve(given)),
    },
    damagedIds,
    damaged: (id: string, error: BackstayError) => {
      damagedIds.push(id);
      screen.note(`snapshot ${id.slice(0, shortIdLength)} left out: ${failureLine(error)}`);
    },
  };
}
