/** Lines that say by their colour, too, how things stand; on terminals only. Pure. */

import type { Environment } from "./environment.ts";

export type Tone = "plain" | "good" | "warning" | "bad" | "faint" | "strong";

/** A line, safe to show, and how it is shown. */
export interface ToneLine {
  readonly text: string;
  readonly tone: Tone;
}

const colours: Readonly<Record<Exclude<Tone, "plain">, string>> = {
  good: "32",
  warning: "33",
  bad: "31",
  faint: "2",
  strong: "1",
};

/** False where colours are of no use, or not wanted (`NO_COLOR`). */
export function showsColours(canRedraw: boolean, environment: Environment): boolean {
  return canRedraw && (environment["NO_COLOR"] ?? "") === "";
}

/** The text as a terminal shows it in that tone. */
export function coloured(text: string, tone: Tone): string {
  return tone === "plain" || text === "" ? text : `\u001b[${colours[tone]}m${text}\u001b[0m`;
}

/** A line; plain unless a tone is given. */
export function toneLine(text: string, tone: Tone = "plain"): ToneLine {
  return { text, tone };
}
