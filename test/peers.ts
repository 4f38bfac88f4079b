/**
 * The programs that tests compare Backstay with, found by their version in `$BACKSTAY_PEERS/bin` and in PATH.
 * One that is missing is never passed over in silence: its tests are skipped with the reason, and in CI they fail.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { describe, it } from "vitest";

const descriptions = {
  restic018: { program: "restic", version: /^restic 0\.18\./, text: "restic 0.18" },
  restic014: { program: "restic", version: /^restic 0\.14\./, text: "restic 0.14" },
  borg: { program: "borg", version: /^borg 1\.2\./, text: "borg 1.2" },
  restServer: {
    program: "restic-rest-server",
    version: /rest-server 0\.13\./,
    text: "restic's rest-server 0.13",
  },
  rclone: { program: "rclone", version: /^rclone v1\./, text: "rclone" },
} as const;

/** Programs that tell their version by an option, not by a command. */
const askedByOption = new Set(["borg", "restic-rest-server"]);

export type PeerName = keyof typeof descriptions;

/** Paths of the peers that are installed. */
export type Peers = { readonly [name in PeerName]?: string };

/** The part of a test's context that a missing peer needs. */
interface Skipping {
  skip(note?: string): unknown;
}

/** Looks in each folder for each peer and asks what it finds for its version. `environment` is a process's. */
export function findPeers(environment: Readonly<Record<string, string | undefined>>): Peers {
  const own = environment["BACKSTAY_PEERS"];
  const folders = (environment["PATH"] ?? "").split(path.delimiter).filter((part) => part !== "");
  if (own !== undefined && own !== "") folders.unshift(path.join(own, "bin"));
  const found: { [name in PeerName]?: string } = {};
  const versions = new Map<string, string>();
  for (const name of Object.keys(descriptions) as PeerName[]) {
    const { program, version } = descriptions[name];
    const candidates = folders.map((folder) => path.join(folder, program));
    const match = candidates.find((candidate) => {
      const said = versions.get(candidate) ?? versionOf(candidate);
      versions.set(candidate, said);
      return version.test(said);
    });
    if (match !== undefined) found[name] = match;
  }
  return found;
}

let known: Peers | undefined;

/** The peers of this process's environment. */
export function installedPeers(): Peers {
  known ??= findPeers(process.env);
  return known;
}

/**
 * Inside a test: the paths of the peers that it needs. If one is missing the test ends here, skipped with the
 * reason, or failed where `CI` is `true`.
 */
export function requirePeers<Name extends PeerName>(
  context: Skipping,
  ...names: readonly Name[]
): Record<Name, string> {
  const peers = installedPeers();
  const missing = names.filter((name) => peers[name] === undefined);
  if (missing.length > 0) reportMissing(context, missing, process.env["CI"] === "true");
  return peers as Record<Name, string>;
}

/** A `describe` whose body gets the paths of its peers; if one is missing, one skipped (in CI: failed) test says so. */
export function describeWithPeers<Name extends PeerName>(
  title: string,
  names: readonly Name[],
  body: (peers: Record<Name, string>) => void,
): void {
  describe(title, () => {
    const peers = installedPeers();
    if (names.every((name) => peers[name] !== undefined)) body(peers as Record<Name, string>);
    else it("finds its peers", (context) => void requirePeers(context, ...names));
  });
}

/** Skips with the reason, or throws it where a missing peer is a failure. */
export function reportMissing(
  context: Skipping,
  missing: readonly PeerName[],
  isFailure: boolean,
): void {
  const list = missing.map((name) => descriptions[name].text).join(" and ");
  const reason = `${list} not found in PATH or in $BACKSTAY_PEERS/bin`;
  if (isFailure) throw new Error(reason);
  context.skip(reason);
}

/** What a program says its version is, or nothing if there is no such program. */
function versionOf(program: string): string {
  try {
    accessSync(program, constants.X_OK);
    const argument = askedByOption.has(path.basename(program)) ? "--version" : "version";
    return execFileSync(program, [argument], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}
