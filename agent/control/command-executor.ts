/** Who does what commands ask for: implemented by the daemon, which knows jobs, engines and logs. */
import type { CommandDocument } from "../../protocol/control/command.ts";
import type { CommandWord } from "./command-journal.ts";

/** How a command ended. */
export interface CommandResult extends CommandWord {
  readonly state: "succeeded" | "failed" | "rejected" | "canceled";
}

/** What may be told of a command while it is worked on. */
export interface CommandNews {
  readonly text?: string;
  /** To be told as soon as there is one: by it the work is found again after a restart. */
  readonly sessionId?: string;
}

export interface CommandExecutor {
  /**
   * Does it, once. Resolves with how it ended; `rejected` if this machine does not do such a thing, or not this. A
   * rejection counts as `failed` with its error. `signal`: somebody stops the command, or the daemon ends.
   */
  execute(
    command: CommandDocument,
    tell: (news: CommandNews) => void,
    signal: AbortSignal,
  ): Promise<CommandResult>;
  /**
   * Of a command that was begun before the daemon last started: waits for what goes on of it and says how it ended;
   * undefined if that can't be known. Never begins it again. `sessionId` as it was told, if it was.
   */
  resume(
    command: CommandDocument,
    sessionId: string | undefined,
    signal: AbortSignal,
  ): Promise<CommandResult | undefined>;
}
