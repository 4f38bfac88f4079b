/** How often progress is shown: on a terminal and in JSON ten times a second, elsewhere not at all. */
import type { GlobalOptions } from "./global-options.ts";
import type { Screen } from "./screen.ts";

const frameMs = 100;

export class ProgressClock {
  readonly #timer: NodeJS.Timeout | undefined;

  /** Calls `draw` from now on, where progress is shown. */
  constructor(screen: Screen, globals: GlobalOptions, draw: () => void) {
    const isShown = !globals.quiet && (globals.json || screen.canRedraw);
    if (isShown) this.#timer = setInterval(draw, frameMs);
    this.#timer?.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
