/**
 * The paths to back up, as a tree of their components: a snapshot of `/srv/data` holds `srv` with only
 * `data` in it. Pure but for the working directory it is given.
 */

import type { EntryNames } from "./directory-state.ts";
import { joinPath } from "./scan-report.ts";

/** A component on the way to a target, or a target. */
export interface TargetNode {
  /** Path to open it by. */
  readonly path: Uint8Array;
  /** The same, absolute. */
  readonly absolutePath: Uint8Array;
  /** True for a target itself: everything below it is taken. */
  isTarget: boolean;
  /** Components below it on the way to targets, by their bytes in latin1. */
  readonly children: Map<string, TargetNode>;
}

const slash = 0x2f;

/**
 * The tree of all targets. Relative paths keep their components, as restic does, if every path is relative and none
 * climbs with `..`; else all are made absolute by `workingDirectory`.
 */
export function targetTree(paths: readonly Uint8Array[], workingDirectory: Uint8Array): TargetNode {
  const parts = paths.map((path) => components(path));
  const keepsRelative = paths.every(
    (path, i) => path[0] !== slash && !parts[i].some((part) => part === ".."),
  );
  const base = keepsRelative ? components(workingDirectory) : [];
  const root = newNode(bytesOf(keepsRelative ? "." : "/"), bytesOf(`/${base.join("/")}`));
  for (const [i, path] of paths.entries()) {
    const isAbsolute = path[0] === slash;
    const full =
      isAbsolute || keepsRelative ? parts[i] : [...components(workingDirectory), ...parts[i]];
    addTarget(root, climb(full), keepsRelative ? "" : "/", base);
  }
  return root;
}

/** Absolute form of the paths, for the snapshot's list. */
export function absolutePaths(
  paths: readonly Uint8Array[],
  workingDirectory: Uint8Array,
): Uint8Array[] {
  return paths.map((path) => {
    const head = path[0] === slash ? [] : components(workingDirectory);
    return bytesOf(`/${climb([...head, ...components(path)]).join("/")}`);
  });
}

/** Children in ascending order of their bytes. */
export function sortedChildren(node: TargetNode): { name: Uint8Array; node: TargetNode }[] {
  return [...node.children]
    .map(([name, child]) => ({ name: bytesOf(name), node: child }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
}

/** The names below a node, as a listing would give them. */
export function wantedNames(target: TargetNode): EntryNames {
  const children = sortedChildren(target);
  const offsets = new Uint32Array(children.length + 1);
  for (const [i, { name }] of children.entries()) offsets[i + 1] = offsets[i] + name.length;
  const names = new Uint8Array(Buffer.concat(children.map(({ name }) => name)));
  return { count: children.length, names, offsets };
}

/** A path that leads through its last component if that is a symlink. */
export function throughLink(path: Uint8Array): Uint8Array {
  return joinPath(path, Uint8Array.of(0x2e));
}

function addTarget(
  root: TargetNode,
  parts: readonly string[],
  prefix: string,
  base: readonly string[],
): void {
  let node = root;
  for (const [i, part] of parts.entries()) {
    let child = node.children.get(part);
    if (child === undefined) {
      const way = parts.slice(0, i + 1);
      const absolute = `/${[...base, ...way].join("/")}`;
      child = newNode(bytesOf(prefix + way.join("/")), bytesOf(absolute));
      node.children.set(part, child);
    }
    node = child;
  }
  node.isTarget = true;
}

/** Components without empty ones and `.`; bytes as latin1 characters. */
function components(path: Uint8Array): string[] {
  return Buffer.from(path)
    .toString("latin1")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
}

/** Resolves `..` by text. */
function climb(parts: readonly string[]): string[] {
  const out: string[] = [];
  for (const part of parts) {
    if (part === "..") out.pop();
    else out.push(part);
  }
  return out;
}

function newNode(path: Uint8Array, absolutePath: Uint8Array): TargetNode {
  return { path, absolutePath, isTarget: false, children: new Map() };
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}
