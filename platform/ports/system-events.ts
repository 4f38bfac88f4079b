/** What happens to a machine and its users, as far as it may start a backup. */

/** What a source of facts can do on this machine, and why not. Probing never throws. */
export interface Probe {
  readonly available: boolean;
  /** For people; why it is not available, or what it rests on. */
  readonly reason: string;
}

export type SystemEvent =
  | {
      readonly kind: "lock" | "unlock" | "log-on" | "log-off";
      readonly session: string;
      readonly user?: string;
    }
  /** The machine goes to sleep, or has come back from it. */
  | { readonly kind: "sleep" | "resume" }
  | { readonly kind: "shutdown" }
  /** Addresses, routes or the kind of network changed. */
  | { readonly kind: "network-change" }
  /** A file system became reachable or went away. */
  | {
      readonly kind: "mounted" | "unmounted";
      readonly path: string;
      readonly fileSystemId?: string;
    }
  | { readonly kind: "power-change" }
  /** Somebody set the wall clock or the time zone. */
  | { readonly kind: "time-change" };

/** Sources of events; each that the machine lacks is named by a probe, and the others work without it. */
export interface SystemEvents {
  /** Begins to emit. Resolves once every source that exists is listening, with a probe for each by name. */
  start(emit: (event: SystemEvent) => void): Promise<ReadonlyMap<string, Probe>>;
  /** Whether somebody's session is locked now, if that is known. */
  isLocked(): Promise<boolean | undefined>;
  /** Ends every source and every child of it. */
  stop(): Promise<void>;
}
