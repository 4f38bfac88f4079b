/** Notices that policy files or the configuration changed, once after each burst of changes. */
import { type FSWatcher, watch } from "chokidar";

/** Editors and package managers write several times. */
const settleMs = 300;

export interface PolicyWatchOptions {
  /** Absolute; they need not exist yet. */
  readonly paths: readonly string[];
  readonly onChange: () => void;
  /** Told if changes are not noticed any more. */
  readonly onTrouble: (problem: string) => void;
}

export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
  }

  /** Resolves once changes are noticed. What is there already is no change. */
  async start(): Promise<void> {
    const { paths, onTrouble } = this.#options;
    const watcher = watch([...paths], { ignoreInitial: true, depth: 0, followSymlinks: true });
    this.#watcher = watcher;
    watcher.on("all", () => this.#schedule());
    watcher.on("error", (error) =>
      onTrouble(error instanceof Error ? error.message : String(error)),
    );
    await new Promise<void>((resolve) => watcher.once("ready", () => resolve()));
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#options.onChange, settleMs);
  }
}
