/** Makes a repository of a test cheap to open, for every program: nobody guesses at its password. */
import { changePassword, openMasterKey } from "../../agent/repository/key/key-ring.ts";
import type { ObjectStore } from "../../storage/object-store.ts";

const cheap = { N: 64, r: 1, p: 1 };

/** Replaces the key that `password` opens by one with the same password that costs next to nothing to try. */
export async function cheapenKey(store: ObjectStore, password: string): Promise<void> {
  const { signal } = new AbortController();
  const bytes = new TextEncoder().encode(password);
  const opened = await openMasterKey(store, bytes, signal);
  await changePassword(store, opened, bytes, signal, cheap);
}
