/** The calls of a store by name, for wrappers that count or choose among them. */
export const storeMethods = ["create", "save", "load", "list", "stat", "remove", "sweep"] as const;
export type StoreMethod = (typeof storeMethods)[number];
