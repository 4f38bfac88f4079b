/** Options that every command takes, with the variables of the environment that stand in for them. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { cacheDirectory } from "../../platform/standard-paths.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type CompressionMode, compressionModes } from "../repository/blob/compression.ts";
import type { Environment } from "./environment.ts";
import { parseDuration } from "./quantities.ts";

/** Where the password comes from, in the order of preference; see password-source.ts. */
export interface PasswordOptions {
  readonly file: string | undefined;
  readonly command: string | undefined;
  /** The repository has the empty password, on purpose. */
  readonly none: boolean;
}

export interface GlobalOptions {
  readonly repository: string | undefined;
  readonly repositoryFile: string | undefined;
  readonly password: PasswordOptions;
  /** Folder of the metadata caches; undefined: no cache. */
  readonly cacheRoot: string | undefined;
  /** False with `--no-lock`. */
  readonly lock: boolean;
  readonly lockWaitMs: number;
  /** Bytes a second; undefined: unlimited. */
  readonly uploadLimit: number | undefined;
  readonly downloadLimit: number | undefined;
  readonly compression: CompressionMode;
  readonly json: boolean;
  readonly quiet: boolean;
  /** How often `-v` was given. */
  readonly verbosity: number;
}

/** What commander makes of the options below. */
interface ParsedGlobals {
  repo?: string;
  repositoryFile?: string;
  passwordFile?: string;
  passwordCommand?: string;
  insecureNoPassword?: boolean;
  cacheDir?: string;
  cache: boolean;
  lock: boolean;
  retryLock?: number;
  limitUpload?: number;
  limitDownload?: number;
  compression?: CompressionMode;
  json?: boolean;
  quiet?: boolean;
  verbose?: number;
}

const groupTitle = "Options of every command:";

/** Adds the options to a command. */
export function addGlobalOptions(command: Command): void {
  command.optionsGroup(groupTitle);
  command
    .option("-r, --repo <place>", "repository: /path or local:/path ($BACKSTAY_REPOSITORY)")
    .option("--repository-file <file>", "file that holds the repository's place")
    .option("-p, --password-file <file>", "file that holds the password ($BACKSTAY_PASSWORD_FILE)")
    .option("--password-command <command>", "program that prints the password")
    .option("--insecure-no-password", "the repository has the empty password")
    .option("--cache-dir <folder>", "folder for the metadata caches")
    .option("--no-cache", "use no metadata cache")
    .option("--no-lock", "read without a lock on the repository")
    .option(
      "--retry-lock <duration>",
      "wait this long for a locked repository, such as 5m",
      lockWait,
    )
    .option("--limit-upload <rate>", "most KiB a second that are sent", rate)
    .option("--limit-download <rate>", "most KiB a second that are fetched", rate)
    .addOption(
      new Option("--compression <mode>", "compression of new data (auto)").choices([
        ...compressionModes,
      ]),
    )
    .option("--json", "machine-readable output")
    .option("-q, --quiet", "print only results and errors")
    .option("-v, --verbose", "print more", (_, count: number | undefined) => (count ?? 0) + 1);
}

/** Flags of options that are followed by a value, for finding the command among the arguments. */
export const globalFlagsWithValue: readonly string[] = [
  "-r",
  "--repo",
  "--repository-file",
  "-p",
  "--password-file",
  "--password-command",
  "--cache-dir",
  "--retry-lock",
  "--limit-upload",
  "--limit-download",
  "--compression",
];

/** The options with what the environment adds. USAGE where they contradict each other. */
export function readGlobals(parsed: object, environment: Environment): GlobalOptions {
  const given = parsed as ParsedGlobals;
  if (given.repo !== undefined && given.repositoryFile !== undefined)
    throw new BackstayError("USAGE", { problem: "give either --repo or --repository-file" });
  if (given.quiet === true && given.verbose !== undefined)
    throw new BackstayError("USAGE", { problem: "give either --quiet or --verbose" });
  const cacheRoot = given.cache ? (given.cacheDir ?? cacheDirectory(environment)) : undefined;
  return {
    repository: given.repo,
    repositoryFile: given.repositoryFile,
    password: {
      file: given.passwordFile,
      command: given.passwordCommand,
      none: given.insecureNoPassword === true,
    },
    cacheRoot,
    lock: given.lock,
    lockWaitMs: given.retryLock ?? 0,
    uploadLimit: given.limitUpload,
    downloadLimit: given.limitDownload,
    compression: given.compression ?? compressionOf(environment),
    json: given.json === true,
    quiet: given.quiet === true,
    verbosity: given.verbose ?? 0,
  };
}

function compressionOf(environment: Environment): CompressionMode {
  const text = environment["BACKSTAY_COMPRESSION"] ?? environment["RESTIC_COMPRESSION"] ?? "";
  if (text === "") return "auto";
  const mode = compressionModes.find((known) => known === text);
  if (mode === undefined)
    throw new BackstayError("USAGE", {
      variable: "BACKSTAY_COMPRESSION",
      problem: `"${text}" is none of ${compressionModes.join(", ")}`,
    });
  return mode;
}

function lockWait(text: string): number {
  const waitMs = parseDuration(text);
  if (waitMs === undefined) throw new InvalidArgumentError("Write it as 90s, 5m or 1h30m.");
  return waitMs;
}

/** KiB a second, as restic takes them; 0 means unlimited. */
function rate(text: string): number | undefined {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Give whole KiB a second.");
  return text === "0" ? undefined : Number(text) * 1024;
}
