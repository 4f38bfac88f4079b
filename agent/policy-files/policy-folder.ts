/**
 * The policies of a machine without a server: a file `NAME.yaml` for each in one folder, for people to edit. What was
 * good last is kept elsewhere, so that a slip in an editor, or a folder that is not there, does not end backups.
 */
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Mistake, RefusalCode } from "../../protocol/policy/policy-mistake.ts";
import { policyName } from "../../protocol/policy/scalars.ts";
import { acceptPolicies } from "../policy/accept-policies.ts";
import { policyFingerprint } from "../policy/policy-fingerprint.ts";
import {
  type PolicyReading,
  type ReadPolicy,
  readPolicies,
  refusal,
} from "../policy/read-policies.ts";
import { makePrivateFolder, removeFile } from "./durable-changes.ts";
import { readTrustedFile, UntrustedFile } from "./trusted-file.ts";

/** A policy that is in force. */
export interface StoredPolicy {
  readonly name: string;
  /** Absolute; where the policy was read from. */
  readonly file: string;
  readonly policy: Policy;
  /** As it is written, without defaults. */
  readonly document: unknown;
  readonly text: string;
  /** Of the normalised document. */
  readonly fingerprint: string;
  /** The file that people edit is not usable; this is what it held when it was. */
  readonly isLastGood: boolean;
}

/** A file that is not what it should be, or the folder itself. */
export interface PolicyProblem {
  /** Absolute. */
  readonly file: string;
  readonly code: RefusalCode | "POLICY_FOLDER";
  /** At least one. */
  readonly mistakes: readonly Mistake[];
}

export interface LoadedPolicies {
  /** By name, in its order. */
  readonly policies: ReadonlyMap<string, StoredPolicy>;
  readonly problems: readonly PolicyProblem[];
}

const ending = ".yaml";
/** What people may think is read too. */
const similarEndings = [".yml", ".json"];

export class PolicyFolder {
  readonly folder: string;
  readonly #lastGood: string;
  readonly #files: DurableFiles;

  /** `folder` is the one that people edit, `lastGood` one of the agent's own; both absolute. */
  constructor(folder: string, lastGood: string, files: DurableFiles) {
    this.folder = folder;
    this.#lastGood = lastGood;
    this.#files = files;
  }

  fileOf(name: string): string {
    return path.join(this.folder, `${name}${ending}`);
  }

  /**
   * Every policy that is in force, and what is wrong with the others. `beside`: policies of another origin, which they
   * may start after. Changes nothing, and never rejects.
   */
  async load(
    rails: GuardRails,
    beside: ReadonlyMap<string, Policy> = new Map(),
  ): Promise<LoadedPolicies> {
    const written = await readFolder(this.folder);
    const kept = await readFolder(this.#lastGood);
    const problems = [...written.problems];
    // Nobody loses all policies by intent but with `policy remove`, which removes what is kept too.
    const isEmptied = written.readings.size === 0 && kept.readings.size > 0;
    if (isEmptied && written.state !== "unreadable")
      problems.push(
        folderProblem(
          this.folder,
          "holds no policies any more, so they are as they were last; `backstay policy remove` ends one for good",
        ),
      );
    const isWhole = written.state === "read" && !isEmptied;
    const wanted = isWhole ? written.readings : kept.readings;
    const policies = new Map<string, StoredPolicy>();
    const good = acceptAll(kept.readings, rails, beside);
    const others = new Map(beside);
    for (const [name, reading] of good)
      if (reading.kind === "read" && wanted.has(name)) others.set(name, reading.policy);
    const accepted = acceptAll(wanted, rails, others);
    for (const [name, reading] of accepted) {
      if (isWhole && reading.kind === "refused")
        problems.push({ file: this.fileOf(name), code: reading.code, mistakes: reading.mistakes });
      const last = good.get(name);
      if (reading.kind === "read") policies.set(name, this.#stored(reading, !isWhole));
      else if (isWhole && last?.kind === "read") policies.set(name, this.#stored(last, true));
    }
    return { policies, problems };
  }

  /** Keeps what is good now, for the time when it is not any more. Rejects with POLICY_FOLDER. */
  async keep({ policies, problems }: LoadedPolicies, signal: AbortSignal): Promise<void> {
    await this.#translating(async () => {
      const kept = await readFolder(this.#lastGood);
      await makePrivateFolder(this.#files, this.#lastGood);
      for (const { name, text, isLastGood } of policies.values()) {
        const before = kept.readings.get(name);
        if (isLastGood || (before?.kind === "read" && before.text === text)) continue;
        await this.#files.replaceFile(this.#keptFile(name), Buffer.from(text), 0o600, signal);
      }
      // Files that people removed, and not a folder that is not there.
      const isFolderThere = problems.every(({ code }) => code !== "POLICY_FOLDER");
      const refused = new Set(problems.map(({ file }) => file));
      for (const name of kept.readings.keys())
        if (isFolderThere && !policies.has(name) && !refused.has(this.fileOf(name)))
          await removeFile(this.#files, this.#keptFile(name));
    });
  }

  /** Writes a policy durably, replacing the one of its name. Rejects with POLICY_FOLDER. */
  async write(name: string, text: string, signal: AbortSignal): Promise<void> {
    await this.#translating(async () => {
      await makePrivateFolder(this.#files, this.folder);
      await this.#files.replaceFile(this.fileOf(name), Buffer.from(text), 0o600, signal);
    });
  }

  /** Removes a policy's file, whatever it holds, and what is kept. Rejects with POLICY_UNKNOWN or POLICY_FOLDER. */
  async remove(name: string): Promise<void> {
    await this.#translating(async () => {
      const found = [
        await removeFile(this.#files, this.fileOf(name)),
        await removeFile(this.#files, this.#keptFile(name)),
      ];
      if (!found.includes(true)) throw new BackstayError("POLICY_UNKNOWN", { policy: name });
    });
  }

  #keptFile(name: string): string {
    return path.join(this.#lastGood, `${name}${ending}`);
  }

  #stored({ name, policy, document, text }: ReadPolicy, isLastGood: boolean): StoredPolicy {
    const file = isLastGood ? this.#keptFile(name) : this.fileOf(name);
    const fingerprint = policyFingerprint(policy);
    return { name, file, policy, document, text, fingerprint, isLastGood };
  }

  async #translating(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Aborts pass untouched. */
  #failure(error: unknown): unknown {
    const name = errorName(error);
    if (name === undefined) return error;
    return new BackstayError("POLICY_FOLDER", { folder: this.folder, reason: name }, error);
  }
}

interface FolderReading {
  readonly state: "read" | "absent" | "unreadable";
  readonly readings: ReadonlyMap<string, PolicyReading>;
  readonly problems: readonly PolicyProblem[];
}

async function readFolder(folder: string): Promise<FolderReading> {
  let names: string[];
  try {
    names = (await readdir(folder)).toSorted();
  } catch (error) {
    const reason = errorName(error) ?? String(error);
    if (reason === "ENOENT") return { state: "absent", readings: new Map(), problems: [] };
    const problems = [folderProblem(folder, `can't be read: ${reason}`)];
    return { state: "unreadable", readings: new Map(), problems };
  }
  const readings = new Map<string, PolicyReading>();
  const problems: PolicyProblem[] = [];
  for (const fileName of names.filter((each) => !each.startsWith("."))) {
    const name = path.basename(fileName, ending);
    const file = path.join(folder, fileName);
    if (fileName.endsWith(ending) && policyName.safeParse(name).success)
      readings.set(name, await readFile(file, name));
    else if ([ending, ...similarEndings].some((each) => fileName.endsWith(each)))
      problems.push(misnamed(file));
  }
  return { state: "read", readings, problems };
}

async function readFile(file: string, name: string): Promise<PolicyReading> {
  let content: Uint8Array;
  try {
    content = await readTrustedFile(file);
  } catch (error) {
    const reason = errorName(error);
    if (reason === undefined && !(error instanceof UntrustedFile)) throw error;
    const problem = reason === undefined ? (error as Error).message : `can't be read: ${reason}`;
    return { kind: "refused", name, code: "POLICY_INVALID", mistakes: [wholeFile(problem)] };
  }
  const [reading, second] = readPolicies(content);
  if (reading.kind === "refused") return reading;
  if (second !== undefined)
    return refusal(reading, "POLICY_INVALID", [
      { path: [], problem: "is not alone in its file; use `backstay policy apply`" },
    ]);
  if (reading.name !== name)
    return refusal(reading, "POLICY_INVALID", [
      { path: ["name"], problem: `must be ${name}, as the file is named` },
    ]);
  return reading;
}

function acceptAll(
  readings: ReadonlyMap<string, PolicyReading>,
  rails: GuardRails,
  others: ReadonlyMap<string, Policy>,
): Map<string, PolicyReading> {
  const accepted = acceptPolicies([...readings.values()], { rails, policies: others });
  return new Map([...readings.keys()].map((name, index) => [name, accepted[index]]));
}

function misnamed(file: string): PolicyProblem {
  const problem = `is not read: files of policies are named NAME${ending}, with the policy's name in small letters`;
  return { file, code: "POLICY_INVALID", mistakes: [wholeFile(problem)] };
}

function folderProblem(file: string, problem: string): PolicyProblem {
  return { file, code: "POLICY_FOLDER", mistakes: [wholeFile(problem)] };
}

function wholeFile(problem: string): Mistake {
  return { line: 1, column: 1, path: [], problem };
}

/** The system's name of an error; undefined if it is none of the system's. */
function errorName(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && "syscall" in error
    ? String(error.code)
    : undefined;
}
