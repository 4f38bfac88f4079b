/** What a line of the log may say besides its text: a closed list, so that no secret gets there by a new field. */
import { redactor } from "../../../protocol/redaction.ts";

/** Every field there is. None of them may hold what policies and people keep secret. */
export interface LogFields {
  readonly policy?: string;
  readonly session?: string;
  readonly repository?: string;
  /** Of the error catalogue or the health catalogue. */
  readonly code?: string;
  readonly problem?: string;
  readonly subject?: string;
  readonly outcome?: string;
  readonly channel?: string;
  readonly count?: number;
  readonly durationMs?: number;
  readonly byMs?: number;
  readonly processId?: number;
  readonly version?: string;
  readonly stack?: string;
}

const kinds: Readonly<Record<keyof LogFields, "string" | "number">> = {
  policy: "string",
  session: "string",
  repository: "string",
  code: "string",
  problem: "string",
  subject: "string",
  outcome: "string",
  channel: "string",
  count: "number",
  durationMs: "number",
  byMs: "number",
  processId: "number",
  version: "string",
  stack: "string",
};
const textCharactersMax = 8_000;
/** `//user:password@` of an address. */
const accountInAddress = /(?<=\/\/[^/\s:@]{0,200}:)[^/\s@]{1,500}(?=@)/g;

/** Takes secrets out of all that is logged: those it was told of, and passwords in addresses. */
export class LogRedaction {
  readonly #secrets = new Set<string>();
  #redact = redactor([]);

  /** From now on `***` stands in its place. */
  hide(secret: string): void {
    if (this.#secrets.has(secret)) return;
    this.#secrets.add(secret);
    this.#redact = redactor([...this.#secrets]);
  }

  text(text: string): string {
    const short = text.length > textCharactersMax ? `${text.slice(0, textCharactersMax)}…` : text;
    return this.#redact(short).replaceAll(accountInAddress, "***");
  }

  /** Only fields of the list, of the right kind, without secrets. */
  fields(given: LogFields): Record<string, string | number> {
    const kept: Record<string, string | number> = {};
    for (const [name, kind] of Object.entries(kinds)) {
      const value: unknown = given[name as keyof LogFields];
      if (kind === "number" && typeof value === "number") kept[name] = value;
      if (kind === "string" && typeof value === "string") kept[name] = this.text(value);
    }
    return kept;
  }
}
