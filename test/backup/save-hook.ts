/** A store with another `save`. */
import type { ObjectStore } from "../../storage/object-store.ts";

export function withSave(store: ObjectStore, save: ObjectStore["save"]): ObjectStore {
  return {
    location: store.location,
    capabilities: store.capabilities,
    create: (signal) => store.create(signal),
    save,
    load: (handle, range, signal) => store.load(handle, range, signal),
    list: (type, signal) => store.list(type, signal),
    stat: (handle, signal) => store.stat(handle, signal),
    remove: (handle, signal) => store.remove(handle, signal),
    sweep: (signal) => store.sweep(signal),
    close: () => store.close(),
  };
}
