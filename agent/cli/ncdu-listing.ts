/** A snapshot in the export format of ncdu, version 1.2: `ncdu -f -` shows what takes how much in it. */
import { utf8Text } from "../repository/json/utf8.ts";
import { permissionBits } from "../repository/tree/file-mode.ts";
import type { Node } from "../repository/tree/node.ts";

const blockBytes = 512;

/** Folders are lists whose first element is the folder itself, one inside the other, as restic writes them. */
export class NcduListing {
  readonly #print: (text: string) => void;
  #depth = 1;

  /** `snapshot` is JSON, of which ncdu shows nothing. */
  constructor(snapshot: string, print: (text: string) => void) {
    this.#print = print;
    print(`[1, 2, ${snapshot}, [{"name":"/"}`);
  }

  /** Adds an entry. A folder stays open for what is in it. */
  add(node: Node): void {
    const indent = "  ".repeat(this.#depth);
    if (node.type === "dir") {
      this.#print(`,\n${indent}[\n${indent}  ${infoBlock(node)}`);
      this.#depth += 1;
    } else this.#print(`,\n${indent}${infoBlock(node)}`);
  }

  /** Closes the folder that was opened last. */
  leave(): void {
    this.#depth -= 1;
    this.#print(`\n${"  ".repeat(this.#depth)}]`);
  }

  end(): void {
    this.#print("\n]\n]\n");
  }
}

function infoBlock(node: Node): string {
  const { size, type, uid, gid } = node;
  // Snapshots do not know what a file takes on its disk.
  const onDisk = Math.ceil(size / blockBytes) * blockBytes;
  const members = [
    `"name":${JSON.stringify(utf8Text(node.name))}`,
    `"asize":${size},"dsize":${onDisk}`,
    `"dev":${node.deviceId},"ino":${node.inode},"nlink":${node.links}`,
    `"notreg":${type !== "dir" && type !== "file"}`,
    `"uid":${uid},"gid":${gid},"mode":${permissionBits(node.mode)}`,
    // ncdu knows no time before 1970.
    `"mtime":${Math.max(0, node.mtime.seconds)}`,
  ];
  return `{${members.join(",")}}`;
}
