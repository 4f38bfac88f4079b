/** Reads policies and configuration when they change or somebody asks for it; one reading after the other. */
import type { BundleInForce } from "../control/bundle-in-force.ts";
import type { ConfigurationKeeper } from "./configuration-keeper.ts";
import type { DaemonCore } from "./daemon-core.ts";
import type { PolicyBook, PolicyInForce } from "./policy-book.ts";
import { PolicyWatch } from "./policy-watch.ts";

export interface PolicyReloadsParts {
  readonly core: DaemonCore;
  readonly configuration: ConfigurationKeeper;
  readonly policies: PolicyBook;
  /** The server's, as it is in force now; undefined without one. */
  readonly bundle: () => BundleInForce | undefined;
  /** After each reading; with the policies that are gone. */
  readonly onRead: (removed: readonly PolicyInForce[]) => Promise<void>;
}

export class PolicyReloads {
  readonly #parts: PolicyReloadsParts;
  readonly #watch: PolicyWatch;
  readonly #ending = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(parts: PolicyReloadsParts) {
    this.#parts = parts;
    const { places, log, board } = parts.core;
    this.#watch = new PolicyWatch({
      paths: [places.policies, places.configurationFile],
      onChange: () => void this.reload(),
      onTrouble: (problem) => {
        log.warning("Changes of policy files may go unnoticed.", { problem });
        board.set("POLICIES_UNWATCHED", places.policies, { problem });
      },
    });
  }

  /** Notices changes from now on. */
  async watch(): Promise<void> {
    this.#parts.core.board.settle("POLICIES_UNWATCHED", new Map());
    await this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#watch.stop();
    await this.#last;
  }

  /** Reads everything, after any reading that is under way, and tells the service manager. */
  async reload(): Promise<void> {
    const reading = this.#last.then(async () => {
      if (this.#ending.signal.aborted) return;
      try {
        await this.read();
      } catch (error) {
        if (!this.#ending.signal.aborted)
          this.#parts.core.log.failure("Policies could not be read again.", error);
      }
    });
    this.#last = reading;
    await reading;
  }

  async read(): Promise<void> {
    const { core, configuration, policies, bundle, onRead } = this.#parts;
    const { log, board } = core;
    const problem = await configuration.read();
    if (problem !== undefined) log.failure("The configuration can't be used.", problem);
    board.set(
      "CONFIGURATION_INVALID",
      "",
      problem === undefined ? undefined : { problem: problem.message },
    );
    const { changed, removed } = await policies.read(
      configuration.current,
      bundle(),
      this.#ending.signal,
      (error) => log.failure("Policies could not be kept for later.", error),
    );
    for (const policy of changed) log.info("A policy is in force.", { policy });
    for (const { name } of removed) log.info("A policy is gone.", { policy: name });
    await onRead(removed);
  }
}
