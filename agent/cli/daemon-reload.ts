/** Policies that were changed on disk, and the daemon that may be running. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { daemonClient } from "./daemon-connection.ts";
import type { Environment } from "./environment.ts";

const answerMs = 10_000;

/**
 * Has the daemon read its policies now instead of a moment later, so that a command that follows finds them in force.
 * False if none answers: then they are in force once it starts.
 */
export async function reloadDaemon(
  environment: Environment,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    await daemonClient(environment).reload(limited);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (isBackstayError(error) || (error instanceof Error && error.name === "TimeoutError"))
      return false;
    throw error;
  }
}
