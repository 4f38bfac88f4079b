/** The programs that benchmarks compare, each by the command lines of the same work. */
import path from "node:path";

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
}

/** A backup program with a repository of its own below `place`. */
export interface BenchProgram {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  init(place: string): CommandLine;
  backup(place: string, source: string): CommandLine;
  restore(place: string, source: string, target: string): CommandLine;
  checkData(place: string): CommandLine;
}

/** Backstay from this checkout; `options` are put before every command line. */
export function backstay(
  checkout: string,
  name = "backstay",
  options: string[] = [],
): BenchProgram {
  const command = path.join(checkout, "agent/bin/backstay");
  const run = (place: string, ...args: string[]): CommandLine => ({
    command,
    args: [
      ...args,
      "--repo",
      path.join(place, "repository"),
      "--cache-dir",
      path.join(place, "cache"),
    ],
  });
  return {
    name,
    environment: { BACKSTAY_PASSWORD: "benchmark" },
    init: (place) => run(place, "init"),
    backup: (place, source) => run(place, "backup", source, ...options),
    restore: (place, source, target) =>
      run(place, "restore", `latest:${source}`, "--target", target),
    checkData: (place) => run(place, "check", "--read-data"),
  };
}

export function restic(command: string, name: string): BenchProgram {
  const run = (place: string, ...args: string[]): CommandLine => ({
    command,
    args: [
      ...args,
      "--repo",
      path.join(place, "repository"),
      "--cache-dir",
      path.join(place, "cache"),
    ],
  });
  return {
    name,
    environment: { RESTIC_PASSWORD: "benchmark" },
    init: (place) => run(place, "init"),
    backup: (place, source) => run(place, "backup", source),
    restore: (place, source, target) =>
      run(place, "restore", `latest:${source}`, "--target", target),
    checkData: (place) => run(place, "check", "--read-data"),
  };
}

export function borg(command: string): BenchProgram {
  const repository = (place: string): string => path.join(place, "repository");
  return {
    name: "borg",
    environment: {
      BORG_PASSPHRASE: "benchmark",
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
    },
    init: (place) => ({ command, args: ["init", "--encryption", "repokey", repository(place)] }),
    backup: (place, source) => ({
      command,
      args: ["create", "--compression", "zstd,3", `${repository(place)}::{now:%s%f}`, source],
    }),
    restore: (place, _source, target) => ({
      command: "sh",
      args: [
        "-c",
        '"$0" extract "$1::$("$0" list --short --last 1 "$1")"',
        command,
        repository(place),
      ],
      cwd: target,
    }),
    checkData: (place) => ({ command, args: ["check", "--verify-data", repository(place)] }),
  };
}
