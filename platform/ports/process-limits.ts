/** How a process that works in the background behaves towards the others, and how it is known to them. */

export interface ProcessLimits {
  /** Lowest processor and disk priority for this process and all its threads; what the system refuses is left out. */
  yieldToOthers(): void;
  /** The resident memory of a process in bytes; undefined if it is gone or the system does not tell. */
  residentBytes(processId: number): number | undefined;
  /** What tells a process from others that had or will have its id; undefined if it is gone or the system does not tell. */
  startOf(processId: number): string | undefined;
  /** Ms since the machine started, sleep included, and a name of that start which no other start has; empty if unknown. */
  boot(): { readonly uptimeMs: number; readonly id: string };
}
