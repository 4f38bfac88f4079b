/** Processor time and resident memory of processes and all that they started, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of /proc a second; the same on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface ProcessUse {
  /** Since they started. */
  readonly processorMs: number;
  readonly residentBytes: number;
}

/** What these processes and their descendants use now, with the time of children that have ended and were waited for. */
export function processUse(processIds: readonly number[]): ProcessUse {
  const children = childrenOfAll();
  const todo = [...processIds];
  const seen = new Set<number>();
  let processorMs = 0;
  let residentBytes = 0;
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    todo.push(...(children.get(id) ?? []));
    try {
      const fields = statFields(id);
      // Of the process itself in user and system mode, and of those that it has waited for.
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      processorMs += (ticks / ticksPerSecond) * 1000;
      const status = readFileSync(`/proc/${id}/status`, "utf8");
      // Shared pages, as PostgreSQL's processes have them, would count once a process.
      residentBytes += 1024 * (lineOf(status, "RssAnon") + lineOf(status, "RssFile"));
    } catch {
      // It has ended meanwhile.
    }
  }
  return { processorMs, residentBytes };
}

function lineOf(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

/** The fields of /proc/ID/stat behind the name, which may hold spaces. */
function statFields(id: number): string[] {
  const text = readFileSync(`/proc/${id}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function childrenOfAll(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(statFields(Number(name))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return children;
}
