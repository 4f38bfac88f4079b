/** Rooms that must not touch the outside world, and the search for places where they do. */
import type { SourceFacts } from "./source-facts.ts";

interface PureRoom {
  readonly holds: RegExp;
  /** True if it may not even know time, chance, or waiting. */
  readonly strict: boolean;
}

/** `strict`: no clock, no chance, no `async`. All of them: no module that reads or writes anything outside. */
export const pureRooms: readonly PureRoom[] = [
  { holds: /^agent\/(?:patterns|policy|retention)\//, strict: true },
  { holds: /^agent\/backup\/select\//, strict: true },
  { holds: /^agent\/repository\/(?:tree|json)\//, strict: true },
  { holds: /^agent\/repository\/(?:blob|chunker|config|crypto|index|pack)\//, strict: false },
  { holds: /^protocol\//, strict: true },
];

/** `node:` modules that pure code may use: they compute and touch nothing. */
const computing = new Set(["node:assert", "node:buffer", "node:crypto", "node:util", "node:zlib"]);

const impureUses = ["Date.now", "new Date()", "Math.random", "performance.now", "process.env"];

/** The ways in which a file of a pure room is not pure, as lines for people; none for any other file. */
export function impurities(file: string, facts: SourceFacts): string[] {
  const rooms = pureRooms.filter((room) => room.holds.test(file));
  if (rooms.length === 0) return [];
  const found = facts.packages
    .filter((name) => name.startsWith("node:") && !computing.has(name))
    .map(
      (name) => `${file}: a pure room may not import ${name}; take what it gives through a port`,
    );
  if (!rooms.some((room) => room.strict)) return found;
  if (facts.isAsync) found.push(`${file}: a pure room may not wait; return data instead`);
  for (const use of impureUses)
    if (facts.uses.has(use))
      found.push(`${file}: a pure room may not use ${use}; take a parameter`);
  return found;
}

/** True if a file may ask which system it runs on: only platform/ and what starts or tests may. */
export function mayAskForSystem(file: string): boolean {
  return /^(?:platform|installers|test)\//.test(file) || file.endsWith(".test.ts");
}
