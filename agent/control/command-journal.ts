/**
 * What this machine knows of the server's commands. Commands arrive at least once; each is begun at most once, whenever
 * the daemon dies: it is `running` in the journal before anything is done for it. The newest word on each is kept until
 * the server has it.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type CommandDocument,
  type CommandProgress,
  isFinalCommandState,
} from "../../protocol/control/command.ts";
import type { CommandStore, StoredCommand } from "../state/state.ts";

/** As long as the server takes it. */
const textMax = 2000;

/** What is new of a command; what is absent stays as it was. */
export interface CommandWord {
  readonly state: CommandProgress["state"];
  /** For people. */
  readonly text?: string;
  readonly sessionId?: string;
  /** Of the error catalogue. */
  readonly errorCode?: string;
}

export interface CommandJournalParts {
  readonly store: CommandStore;
  /** Server's time, ms since 1970. */
  readonly nowMs: () => number;
  /** Told after each change that the server is to hear of. */
  readonly onWord?: () => void;
}

export class CommandJournal {
  readonly #parts: CommandJournalParts;

  constructor(parts: CommandJournalParts) {
    this.#parts = parts;
  }

  /**
   * Takes a verified command. True if it is new and may be begun; false if it was here before, has expired, or
   * `wasTaken` (the server has heard from us of it) while there is no memory of it. The server is told in any case.
   */
  take(document: CommandDocument, wasTaken: boolean): boolean {
    const known = this.#parts.store.get(document.id);
    if (known !== undefined) {
      // The server asks again, so it has not heard.
      this.#parts.store.put({ ...known, isTold: false });
      this.#parts.onWord?.();
      return false;
    }
    if (wasTaken) {
      const error = new BackstayError("COMMAND_FORGOTTEN");
      this.#write(document, { state: "failed", text: error.message, errorCode: error.code });
      return false;
    }
    if (this.#isExpired(document)) {
      this.#write(document, { state: "expired", text: "It arrived too late." });
      return false;
    }
    this.#write(document, { state: "accepted" });
    return true;
  }

  /** Notes that a command is begun now. False if it must not be: it is not waiting any more, or has expired meanwhile. */
  begin(id: string): boolean {
    const known = this.#parts.store.get(id);
    if (known?.progress.state !== "accepted") return false;
    if (this.#isExpired(known.document)) {
      this.#write(known.document, { state: "expired", text: "Its time came too late." });
      return false;
    }
    this.#write(known.document, { state: "running" });
    return true;
  }

  /** Notes what is new of a command. Does nothing if it is not known or has come to its end. */
  note(id: string, word: CommandWord): void {
    const known = this.#parts.store.get(id);
    if (known === undefined || isFinalCommandState(known.progress.state)) return;
    this.#write(known.document, word, known.progress);
  }

  /** Those that have come to no end, oldest first. */
  unfinished(): readonly StoredCommand[] {
    return this.#parts.store.unfinished();
  }

  /** Those that the server is to hear of, oldest first. */
  untold(): readonly StoredCommand[] {
    return this.#parts.store.untold();
  }

  /** The server has this word on it, or can't take any; a newer one is still to be told. */
  told({ document, progress }: StoredCommand): void {
    const known = this.#parts.store.get(document.id);
    if (known !== undefined && JSON.stringify(known.progress) === JSON.stringify(progress))
      this.#parts.store.put({ ...known, isTold: true });
  }

  /** What was told then or later is to be told again: the server may have forgotten it. */
  recall(sinceMs: number): void {
    const { store, onWord } = this.#parts;
    for (const command of store.toldSince(sinceMs)) store.put({ ...command, isTold: false });
    onWord?.();
  }

  #isExpired({ expiresMs }: CommandDocument): boolean {
    return this.#parts.nowMs() > expiresMs;
  }

  #write(document: CommandDocument, word: CommandWord, before?: CommandProgress): void {
    const sessionId = word.sessionId ?? before?.sessionId;
    this.#parts.store.put({
      document,
      progress: {
        state: word.state,
        timeMs: this.#parts.nowMs(),
        text: (word.text ?? before?.text ?? "").slice(0, textMax),
        ...(sessionId !== undefined && { sessionId }),
        ...(word.errorCode !== undefined && { errorCode: word.errorCode }),
      },
      isTold: false,
    });
    this.#parts.onWord?.();
  }
}
