/** File systems that come and go, from the kernel's mount table. */
import { closeSync, openSync } from "node:fs";
import type { SystemEvent } from "../ports/system-events.ts";
import { fileSystemId } from "./file-system-ids.ts";
import { declareCall } from "./libc.ts";
import { readMounts } from "./mount-table.ts";
import { NativeMemory } from "./native-memory.ts";
import { type ReachableMount, reachableMounts } from "./reachable-mounts.ts";

/** Set by the kernel in answer to poll(2) once after each change of the table. */
const pollPriority = 2;
const pollError = 8;

interface Known extends ReachableMount {
  readonly id: string | undefined;
}

/** Whoever owns it calls `check` often: asking whether the table changed costs a microsecond. */
export class MountWatch {
  readonly #emit: (event: SystemEvent) => void;
  readonly #descriptor = openSync("/proc/self/mountinfo", "r");
  readonly #hasChanged: () => boolean;
  #known = new Map<string, Known>();
  /** Changes are taken one after the other; finding an id may take a moment. */
  #taking: Promise<void>;

  /** Throws if the system has no mount table. What is mounted now is known, without an event. */
  constructor(emit: (event: SystemEvent) => void) {
    this.#emit = emit;
    this.#hasChanged = openPoll(this.#descriptor);
    this.#taking = this.#take(() => undefined);
  }

  /** Emits, a moment later, what was mounted and unmounted since the last call. */
  check(): void {
    if (this.#hasChanged()) this.#taking = this.#taking.then(() => this.#take(this.#emit));
  }

  async stop(): Promise<void> {
    await this.#taking;
    closeSync(this.#descriptor);
  }

  async #take(emit: (event: SystemEvent) => void): Promise<void> {
    const now = reachableMounts(readMounts());
    const before = this.#known;
    this.#known = new Map();
    for (const { path, key, id } of before.values())
      if (now.get(path)?.key !== key) emit({ kind: "unmounted", path, ...idField(id) });
    for (const [path, mount] of now) {
      const old = before.get(path);
      const isOld = old?.key === mount.key;
      const id = isOld ? old.id : await idOf(mount);
      this.#known.set(path, { ...mount, id });
      if (!isOld) emit({ kind: "mounted", path, ...idField(id) });
    }
  }
}

async function idOf({ devicePath }: ReachableMount): Promise<string | undefined> {
  return devicePath === undefined ? undefined : await fileSystemId(devicePath);
}

function idField(fileSystemId: string | undefined): { readonly fileSystemId?: string } {
  return fileSystemId === undefined ? {} : { fileSystemId };
}

/** Asks the kernel, without waiting, whether something changed since it was asked last. */
function openPoll(descriptor: number): () => boolean {
  const poll = declareCall("poll", "int", ["int64", "int64", "int"]);
  const entry = new NativeMemory(8);
  const view = new DataView(entry.bytes.buffer);
  view.setInt32(0, descriptor, true);
  view.setInt16(4, pollPriority, true);
  return () => {
    view.setInt16(6, 0, true);
    const ready = poll(entry.address, 1, 0);
    return ready > 0 && (view.getInt16(6, true) & (pollPriority | pollError)) !== 0;
  };
}
