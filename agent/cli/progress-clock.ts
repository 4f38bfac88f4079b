/** How often progress is shown: on a terminal and in JSON ten times a second, elsewhere not at all. */
import type { GlobalOptions } from "./global-options.ts";
import type { Screen } from "./screen.ts";

const frameMs = 100;

/** False where asking for progress would be work for nobody. */
export function showsProgress(screen: Screen, globals: GlobalOptions): boolean {
  return !globals.quiet && (globals.json || screen.canRedraw);
}

export class ProgressClock {
  readonly #timer: NodeJS.Timeout | undefined;

  /** Calls `draw` from now on, where progress is shown. */
  constructor(screen: Screen, globals: GlobalOptions, draw: () => void) {
    if (showsProgress(screen, globals)) this.#timer = setInterval(draw, frameMs);
    this.#timer?.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
