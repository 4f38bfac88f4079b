/** The commands of a page of docs/: each fenced block `sh PLACE`, in order, with where on the page it stands. */

export interface PageStep {
  /** Which terminal it is for: the second word behind the fence. */
  readonly place: string;
  /** As they stand there. */
  readonly commands: string;
  /** Of the fence, from 1 on. */
  readonly line: number;
}

/** Blocks `sh` without a place are for readers only. Throws an Error for a block that does not end. */
export function pageSteps(page: string): PageStep[] {
  const steps: PageStep[] = [];
  let open: { readonly info: string; readonly line: number; readonly lines: string[] } | undefined;
  for (const [at, line] of page.split("\n").entries()) {
    if (!line.startsWith("```")) {
      open?.lines.push(line);
      continue;
    }
    if (open === undefined) {
      open = { info: line.slice(3).trim(), line: at + 1, lines: [] };
      continue;
    }
    const [language, place] = open.info.split(/\s+/);
    if (language === "sh" && place !== undefined)
      steps.push({ place, commands: `${open.lines.join("\n")}\n`, line: open.line });
    open = undefined;
  }
  if (open !== undefined) throw new Error(`the block of line ${open.line} does not end`);
  return steps;
}
