/** Runs the work of a thread and tells the main thread if it fails. */
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../../protocol/error-catalog.ts";
import { type Mailbox, post } from "./inbox.ts";

/** A thread's failure in a form that survives the way to another thread. */
export interface FailedMessage {
  readonly kind: "failed";
  readonly thread: number;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: ErrorCode | undefined;
  readonly context: Readonly<Record<string, string | number>>;
}

/** Runs `work`; a thrown error is sent to the main thread instead of killing the process. */
export function guardThread(thread: number, main: Mailbox, work: () => void): void {
  try {
    work();
  } catch (error) {
    const thrown = error instanceof Error ? error : new Error(String(error));
    const failed: FailedMessage = {
      kind: "failed",
      thread,
      name: thrown.name,
      message: thrown.message,
      stack: thrown.stack ?? "",
      code: isBackstayError(error) ? error.code : undefined,
      context: isBackstayError(error) ? error.context : {},
    };
    post(main, failed);
  }
  // Messages under way are lost when a thread ends by itself: it stays until the main thread ends it.
  main.port.on("message", () => undefined);
}
