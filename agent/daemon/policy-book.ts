/** The policies in force: read from their folder, resolved for this machine, with all that is wrong with the others. */
import type { AgentConfiguration } from "../../protocol/policy/guard-rails.ts";
import {
  type EffectiveValue,
  effectivePolicy,
  type ResolvedPolicy,
} from "../policy/effective-policy.ts";
import { settingText } from "../policy/setting-path.ts";
import type { PolicyFolder, PolicyProblem } from "../policy-files/policy-folder.ts";
import type { PolicyStore } from "../state/state.ts";

export interface PolicyInForce {
  readonly name: string;
  readonly policy: ResolvedPolicy;
  readonly values: readonly EffectiveValue[];
  /** Absolute; the file that it was read from. */
  readonly file: string;
  readonly fingerprint: string;
  /** Since when there is a policy of this name, ms since 1970. */
  readonly appliedMs: number;
}

/** What a reading changed. */
export interface PolicyChanges {
  /** New ones, and those that say something else now. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export class PolicyBook {
  readonly #folder: PolicyFolder;
  readonly #store: PolicyStore;
  readonly #nowMs: () => number;
  #inForce: ReadonlyMap<string, PolicyInForce> = new Map();
  #problems: readonly PolicyProblem[] = [];

  constructor(folder: PolicyFolder, store: PolicyStore, nowMs: () => number) {
    this.#folder = folder;
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** By name, in its order. */
  get inForce(): ReadonlyMap<string, PolicyInForce> {
    return this.#inForce;
  }

  get problems(): readonly PolicyProblem[] {
    return this.#problems;
  }

  /**
   * Reads all policies again. Without a configuration none is in force, because what the machine forbids is not known
   * then. `onUnkept` is told if what is good now could not be kept for later.
   */
  async read(
    configuration: AgentConfiguration | undefined,
    signal: AbortSignal,
    onUnkept: (error: unknown) => void,
  ): Promise<PolicyChanges> {
    if (configuration === undefined) return this.#replace(new Map(), []);
    const rails = configuration.guardRails;
    const loaded = await this.#folder.load(rails);
    try {
      await this.#folder.keep(loaded, signal);
    } catch (error) {
      signal.throwIfAborted();
      onUnkept(error);
    }
    const inForce = new Map<string, PolicyInForce>();
    for (const [name, stored] of loaded.policies) {
      const { file, fingerprint, text } = stored;
      const { policy, values } = effectivePolicy(stored.policy, stored.document, rails);
      const appliedMs = this.#appliedMs(name, text, file);
      inForce.set(name, { name, policy, values, file, fingerprint, appliedMs });
    }
    return this.#replace(inForce, loaded.problems);
  }

  /** Noted down at the first sight of a name; an edited policy is as old as it was. */
  #appliedMs(name: string, document: string, file: string): number {
    const known = this.#store.get(name);
    if (known?.document === document) return known.appliedMs;
    const appliedMs = known?.appliedMs ?? this.#nowMs();
    this.#store.put({ name, document, origin: `file:${file}`, appliedMs });
    return appliedMs;
  }

  #replace(
    inForce: ReadonlyMap<string, PolicyInForce>,
    problems: readonly PolicyProblem[],
  ): PolicyChanges {
    const before = this.#inForce;
    this.#inForce = inForce;
    this.#problems = problems;
    const changed = [...inForce.values()].filter(
      ({ name, fingerprint }) => before.get(name)?.fingerprint !== fingerprint,
    );
    const removed = [...before.keys()].filter((name) => !inForce.has(name));
    return { changed: changed.map(({ name }) => name), removed };
  }
}

/** `line 3: source.paths[0] must be an absolute path`, and how many more there are. */
export function problemText({ mistakes }: PolicyProblem): string {
  const [{ line, path, problem }, ...others] = mistakes;
  const first = `line ${line}: ${settingText(path)} ${problem}`.replaceAll(/ {2,}/g, " ");
  return others.length === 0 ? first : `${first}; ${others.length} more`;
}
