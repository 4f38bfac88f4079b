/** Source files that change at a chosen call: what a live file system does to a backup, at will. */
import type {
  DirectoryToken,
  SourceDirectory,
  SourceFile,
  SourceFiles,
} from "../../platform/ports/source-files.ts";

/** Calls of a file, as they are counted. */
export type FileMoment = "open" | "read" | "stat" | "attributes";

/** Told before and after each call, with its number among those of its kind, from 1. */
export type OnCall = (moment: FileMoment, side: "before" | "after", number: number) => void;

/** `inner` with `onCall` told of every call on files. */
export function changingFiles(inner: SourceFiles, onCall: OnCall): SourceFiles {
  const counts = { open: 0, read: 0, stat: 0, attributes: 0 };
  const told = <T>(moment: FileMoment, act: () => T): T => {
    counts[moment] += 1;
    const number = counts[moment];
    onCall(moment, "before", number);
    const result = act();
    onCall(moment, "after", number);
    return result;
  };
  const wrap = (file: SourceFile): SourceFile => ({
    read: (buffer, offset, length, position) =>
      told("read", () => file.read(buffer, offset, length, position)),
    stat: (record, offset) => told("stat", () => file.stat(record, offset)),
    extendedAttributes: () => told("attributes", () => file.extendedAttributes()),
    extentAt: (offset, end) => file.extentAt(offset, end),
    close: () => file.close(),
  });
  return {
    openDirectory: (path: Uint8Array): SourceDirectory => inner.openDirectory(path),
    openFile: (directory: DirectoryToken, name: Uint8Array): SourceFile =>
      wrap(told("open", () => inner.openFile(directory, name))),
    stat: (path, record, offset) => inner.stat(path, record, offset),
    readLink: (path) => inner.readLink(path),
    extendedAttributes: (path) => inner.extendedAttributes(path),
    medium: (path) => inner.medium(path),
    openFilesMax: () => inner.openFilesMax(),
    userName: (uid) => inner.userName(uid),
    groupName: (gid) => inner.groupName(gid),
  };
}
