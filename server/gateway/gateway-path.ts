/** Addresses of the gateway: the only place that knows their form. Pure. */
import { isFileName } from "../../storage/handle-name.ts";
import { type FileType, fileTypes, type Handle } from "../../storage/object-store.ts";

/** What an address names. */
export type GatewayTarget =
  /** The repository itself; `isCreate` with `?create=true`. */
  | { readonly kind: "repository"; readonly isCreate: boolean }
  | { readonly kind: "list"; readonly type: FileType }
  | { readonly kind: "file"; readonly handle: Handle };

export interface GatewayAddress {
  readonly repositoryId: string;
  readonly agentId: string;
  readonly target: GatewayTarget;
}

const id = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const form = new RegExp(
  `^/gateway/(${id})/(${id})/([a-z]*)(?:(/)([a-z0-9.-]*))?(\\?create=true)?$`,
);

/** True if it may be a part of a path: our own ids are of this form. */
export function isPlainId(text: string): boolean {
  return new RegExp(`^${id}$`).test(text);
}

/**
 * What the raw target of a request names, as it came, nothing decoded; undefined for anything else. Nothing that holds
 * another character, an empty part, or a name that is none of its type gets through.
 */
export function gatewayAddress(requestTarget: string): GatewayAddress | undefined {
  const [, repositoryId, agentId, type = "", slash, name = "", create] =
    form.exec(requestTarget) ?? [];
  if (repositoryId === undefined || agentId === undefined) return undefined;
  const target = targetOf(type, slash === undefined ? undefined : name, create !== undefined);
  return target === undefined ? undefined : { repositoryId, agentId, target };
}

function targetOf(
  type: string,
  name: string | undefined,
  isCreate: boolean,
): GatewayTarget | undefined {
  if (type === "") return name === undefined ? { kind: "repository", isCreate } : undefined;
  if (isCreate || !isFileType(type)) return undefined;
  if (type === "config")
    return name === undefined ? { kind: "file", handle: { type, name: "" } } : undefined;
  if (name === undefined) return undefined;
  if (name === "") return { kind: "list", type };
  return isFileName(type, name) ? { kind: "file", handle: { type, name } } : undefined;
}

function isFileType(text: string): text is FileType {
  return (fileTypes as readonly string[]).includes(text);
}
