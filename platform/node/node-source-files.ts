/**
 * The source ports on Node's own file calls, for systems without an adapter of their own.
 * docs/platforms.md lists what is missing there.
 */
import { lstatSync } from "node:fs";
import { userInfo } from "node:os";
import type {
  DirectoryToken,
  ExtendedAttribute,
  SourceDirectory,
  SourceFile,
  SourceFiles,
  SourceMedium,
} from "../ports/source-files.ts";
import { readAccountFile } from "./account-file.ts";
import { callNode, childPath, nodePath, withoutTrailingSeparators } from "./node-path.ts";
import { openNodeDirectory, readNodeLink, statNodePath } from "./node-source-directory.ts";
import { openNodeFile } from "./node-source-file.ts";

export class NodeSourceFiles implements SourceFiles {
  #users: Map<number, string> | undefined;
  #groups: Map<number, string> | undefined;

  openDirectory(path: Uint8Array): SourceDirectory {
    return openNodeDirectory(withoutTrailingSeparators(path));
  }

  openFile(directory: DirectoryToken, name: Uint8Array): SourceFile {
    return openNodeFile(childPath(directory.path, name));
  }

  stat(path: Uint8Array, record: Uint8Array, offset: number): void {
    statNodePath(withoutTrailingSeparators(path), record, offset);
  }

  readLink(path: Uint8Array): Uint8Array {
    return readNodeLink(withoutTrailingSeparators(path));
  }

  extendedAttributes(_path: Uint8Array): ExtendedAttribute[] {
    return [];
  }

  /** Only network shares of Windows are recognised, by their path. */
  medium(path: Uint8Array): SourceMedium {
    callNode(path, () => lstatSync(nodePath(path)));
    const isShare = /^(\\\\|\/\/)([^?.]|\?\\UNC\\)/i.test(Buffer.from(path).toString());
    return process.platform === "win32" && isShare
      ? { kind: "network", readers: 8 }
      : { kind: "unknown", readers: 4 };
  }

  /** Node raises the limit as far as it may go, and does not tell how far that is. */
  openFilesMax(): number {
    return 256;
  }

  userName(uid: number): string {
    this.#users ??= readUsers();
    return this.#users.get(uid) ?? "";
  }

  groupName(gid: number): string {
    this.#groups ??= readAccountFile("/etc/group");
    return this.#groups.get(gid) ?? "";
  }
}

/** macOS keeps people's accounts out of /etc/passwd; the one that runs this is known all the same. */
function readUsers(): Map<number, string> {
  const users = readAccountFile("/etc/passwd");
  try {
    const { uid, username } = userInfo();
    if (uid >= 0 && !users.has(uid)) {
      users.set(uid, username);
    }
  } catch {
    // An id without an account has no name.
  }
  return users;
}
