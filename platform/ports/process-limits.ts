/** How a process that works in the background behaves towards the others. */

export interface ProcessLimits {
  /** Lowest processor and disk priority for this process and all its threads; what the system refuses is left out. */
  yieldToOthers(): void;
  /** The resident memory of a process in bytes; undefined if it is gone. */
  residentBytes(processId: number): number | undefined;
  /** Ms since the machine started, sleep included, and a name of that start which no other start has. */
  boot(): { readonly uptimeMs: number; readonly id: string };
}
