/** What `mount` prints on macOS. */

export interface DarwinMount {
  readonly source: string;
  readonly path: string;
  readonly isNetwork: boolean;
}

/** File systems that lie on other machines. */
const networkTypes: ReadonlySet<string> = new Set([
  "smbfs",
  "nfs",
  "afpfs",
  "webdav",
  "ftp",
  "cifs",
]);
/** The system's own volumes, images and simulators below them; people's files are on `/System/Volumes/Data`. */
const systemPath = /^\/(?:System\/(?!Volumes\/Data$)|private\/|dev$|Library\/Developer\/)/;
const notPeoples: ReadonlySet<string> = new Set(["devfs", "autofs", "lifs", "nullfs", "mtmfs"]);

/** File systems that may hold files of people. */
export function decodeMounts(output: string): readonly DarwinMount[] {
  return output.split("\n").flatMap((line) => {
    const match = /^(.+?) on (\/.*) \((\w+)(?:, [^()]*)?\)$/.exec(line);
    if (match === null) return [];
    const [, source, path, type] = match;
    if (notPeoples.has(type) || systemPath.test(path)) return [];
    return [{ source, path, isNetwork: networkTypes.has(type) }];
  });
}
