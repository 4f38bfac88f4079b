/** Ctrl-C and its kin: the first one ends the work in order, the second one ends the process at once. */
import { hasTerminal } from "../../platform/hang-up.ts";
import { exitCodes } from "./command.ts";

const endingSignals = ["SIGINT", "SIGTERM"] as const;

/** The reason with which a command's signal is aborted. */
export class Interruption extends Error {
  override readonly name = "AbortError";
  /** `SIGINT` and so on. */
  readonly systemSignal: string;

  constructor(systemSignal: string) {
    super(`interrupted by ${systemSignal}`);
    this.systemSignal = systemSignal;
  }
}

/** The reason when nobody reads the results any more (`backstay ls | head`). */
export class ReaderGone extends Error {
  override readonly name = "AbortError";

  constructor() {
    super("nobody reads the output any more");
  }
}

/**
 * A signal that is aborted when the process is asked to end. `told` is called then, once; `atOnce` right
 * before a second request ends the process.
 */
export function watchInterruption(
  told: (cause: string) => void,
  atOnce: () => void,
): AbortController {
  const controller = new AbortController();
  const receive = (cause: string): void => {
    if (controller.signal.aborted) {
      atOnce();
      process.exit(exitCodes.interrupted);
    }
    controller.abort(new Interruption(cause));
    told(cause);
  };
  for (const name of endingSignals) process.on(name, receive);
  const hadTerminal = hasTerminal();
  // Without a closed terminal it is `restic unlock` that asks whether this process lives.
  process.on("SIGHUP", (name) => {
    if (hadTerminal && !hasTerminal()) receive(name);
  });
  return controller;
}
