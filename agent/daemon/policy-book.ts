/** The policies in force: read from their folder, resolved for this machine, with all that is wrong with the others. */
import type { AgentConfiguration, GuardRails } from "../../protocol/policy/guard-rails.ts";
import { secretReferences } from "../../protocol/policy/secret-references.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import type { BundleInForce, ServerPolicy } from "../control/bundle-in-force.ts";
import {
  type EffectiveValue,
  effectivePolicy,
  type ResolvedPolicy,
} from "../policy/effective-policy.ts";
import { policyFingerprint } from "../policy/policy-fingerprint.ts";
import type { PolicyFolder, PolicyProblem } from "../policy-files/policy-folder.ts";
import type { PolicyStore } from "../state/state.ts";
import { serverPolicies } from "./server-policies.ts";

export interface PolicyInForce {
  readonly name: string;
  readonly policy: ResolvedPolicy;
  readonly values: readonly EffectiveValue[];
  /** The file that it was read from, absolute; or `server`. */
  readonly origin: string;
  /** Of a policy that the server has given this machine. */
  readonly server?: ServerPolicy & { readonly bundle: BundleInForce };
  readonly fingerprint: string;
  /** Since when there is a policy of this name, ms since 1970. */
  readonly appliedMs: number;
}

/** What a reading changed. */
export interface PolicyChanges {
  /** New ones, and those that say something else now. */
  readonly changed: readonly string[];
  readonly removed: readonly PolicyInForce[];
}

export class PolicyBook {
  readonly #folder: PolicyFolder;
  readonly #store: PolicyStore;
  readonly #nowMs: () => number;
  #inForce: ReadonlyMap<string, PolicyInForce> = new Map();
  #problems: readonly PolicyProblem[] = [];
  #hidden: readonly string[] = [];

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

  /** Policies of this machine that are not in force because the server has one of the same name. */
  get hidden(): readonly string[] {
    return this.#hidden;
  }

  /**
   * Reads all policies again: the machine's own, and beside them those of the server, which win where names are equal. Without a configuration none is in force, because what the machine forbids is not known
   * then. `onUnkept` is told if what is good now could not be kept for later.
   */
  async read(
    configuration: AgentConfiguration | undefined,
    server: BundleInForce | undefined,
    signal: AbortSignal,
    onUnkept: (error: unknown) => void,
  ): Promise<PolicyChanges> {
    if (configuration === undefined) return this.#replace(new Map(), []);
    const rails = configuration.guardRails;
    const given = serverPolicies(server, rails);
    const others = new Map([...given.accepted].map(([name, { policy }]) => [name, policy]));
    const loaded = await this.#folder.load(rails, others);
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
      if (given.accepted.has(name)) continue;
      const appliedMs = this.#appliedMs(name, text, `file:${file}`);
      inForce.set(name, { name, policy, values, origin: file, fingerprint, appliedMs });
    }
    for (const [name, policy] of given.accepted)
      if (server !== undefined) inForce.set(name, this.#ofServer(policy, server, rails));
    this.#hidden = [...loaded.policies.keys()].filter((name) => given.accepted.has(name));
    const inOrder = new Map([...inForce].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return this.#replace(inOrder, [...loaded.problems, ...given.problems]);
  }

  /** Noted down at the first sight of a name; an edited policy is as old as it was. */
  #appliedMs(name: string, document: string, origin: string): number {
    const known = this.#store.get(name);
    if (known?.document === document) return known.appliedMs;
    const appliedMs = known?.appliedMs ?? this.#nowMs();
    this.#store.put({ name, document, origin, appliedMs });
    return appliedMs;
  }

  #ofServer(given: ServerPolicy, bundle: BundleInForce, rails: GuardRails): PolicyInForce {
    const { name } = given.policy;
    const { policy, values } = effectivePolicy(given.policy, given.document, rails);
    const appliedMs = this.#appliedMs(name, JSON.stringify(given.document), "server");
    const fingerprint = policyFingerprint(given.policy);
    const server = { ...given, bundle };
    return { name, policy, values, origin: "server", server, fingerprint, appliedMs };
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
    const removed = [...before.values()].filter(({ name }) => !inForce.has(name));
    return { changed: changed.map(({ name }) => name), removed };
  }
}

/** A secret that a policy of the server brings with it, if it names that one itself; undefined otherwise. */
export function serverSecret(found: PolicyInForce | undefined, name: string): Buffer | undefined {
  const server = found?.server;
  if (server === undefined || !secretReferences(server.policy).includes(name)) return undefined;
  return server.bundle.secret(name);
}

/** `line 3: source.paths[0] must be an absolute path`, and how many more there are. A server's policy has no lines. */
export function problemText({ mistakes }: PolicyProblem): string {
  const [{ line, path, problem }, ...others] = mistakes;
  const place = line === 0 ? "" : `line ${line}: `;
  const first = `${place}${settingText(path)} ${problem}`.replaceAll(/ {2,}/g, " ");
  return others.length === 0 ? first : `${first}; ${others.length} more`;
}
