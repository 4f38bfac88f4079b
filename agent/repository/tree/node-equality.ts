/** Whether two nodes of the same name say the same. Pure. */
import type { Node, NodeAttribute, NodeTime } from "./node.ts";

/** True if both files have the same blobs in the same order. */
export function sameContent(a: Node, b: Node): boolean {
  return sameOptionalBytes(a.content, b.content);
}

/** True if the nodes say the same in everything, directories down to their trees. */
export function sameNode(a: Node, b: Node): boolean {
  return sameMetadata(a, b) && sameContent(a, b) && sameOptionalBytes(a.subtree, b.subtree);
}

/** True if everything but a file's blobs and a directory's tree is the same. */
export function sameMetadata(a: Node, b: Node): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    sameTime(a.mtime, b.mtime) &&
    sameTime(a.atime, b.atime) &&
    sameTime(a.ctime, b.ctime) &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.user === b.user &&
    a.group === b.group &&
    a.inode === b.inode &&
    a.deviceId === b.deviceId &&
    a.size === b.size &&
    a.links === b.links &&
    a.device === b.device &&
    sameBytes(a.linkTarget, b.linkTarget) &&
    sameAttributes(a.attributes, b.attributes) &&
    sameGeneric(a.genericAttributes, b.genericAttributes)
  );
}

function sameTime(a: NodeTime, b: NodeTime): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

/** Their order says nothing. */
function sameAttributes(a: readonly NodeAttribute[], b: readonly NodeAttribute[]): boolean {
  return (
    a.length === b.length &&
    a.every((each) =>
      b.some((other) => sameBytes(each.name, other.name) && sameBytes(each.value, other.value)),
    )
  );
}

function sameGeneric(
  a: ReadonlyMap<string, string> = new Map(),
  b: ReadonlyMap<string, string> = new Map(),
): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function sameOptionalBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : sameBytes(a, b);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
