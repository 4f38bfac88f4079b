/** The agent's own configuration, with what it said last for the time when its file can't be used. */

import { z } from "zod";
import { type AgentConfiguration, agentConfiguration } from "../../protocol/policy/guard-rails.ts";
import { loadConfiguration } from "../policy-files/agent-configuration.ts";
import type { FactStore } from "../state/state.ts";

const fact = "configuration";

export class ConfigurationKeeper {
  readonly #folder: string;
  readonly #facts: FactStore;
  #current: AgentConfiguration | undefined;

  constructor(folder: string, facts: FactStore) {
    this.#folder = folder;
    this.#facts = facts;
  }

  /** What is in force; undefined if there never was a usable one, so that nobody knows what the machine forbids. */
  get current(): AgentConfiguration | undefined {
    return this.#current;
  }

  /** Everything as usual where there is nothing in force. */
  get orUsual(): AgentConfiguration {
    return this.#current ?? agentConfiguration.parse({});
  }

  /** Reads it again; why it can't be used, or undefined. Then what it said last goes on. */
  async read(): Promise<Error | undefined> {
    try {
      this.#current = await loadConfiguration(this.#folder);
    } catch (error) {
      this.#current ??= agentConfiguration.safeParse(this.#facts.get(fact)).data;
      return error instanceof Error ? error : new Error(String(error));
    }
    const written = z.encode(agentConfiguration, this.#current);
    if (JSON.stringify(written) !== JSON.stringify(this.#facts.get(fact)))
      this.#facts.put(fact, written);
    return undefined;
  }
}
