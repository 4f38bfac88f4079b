/** Reads files that say what the agent does, and so must be in the hands of its administrator alone. */
import { constants, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import { policyTextLimits } from "../../protocol/policy/policy-text.ts";

/** A file that may have been written by somebody else than the administrator. */
export class UntrustedFile extends Error {
  override readonly name = "UntrustedFile";
}

/**
 * The whole file; at most one byte more than a policy may have. Rejects with the system's error, or with UntrustedFile if
 * users besides the one that runs the agent, and root, can change it.
 */
export async function readTrustedFile(file: string): Promise<Uint8Array> {
  // A pipe in its place must not hold us up.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const reason = distrust(await handle.stat());
    if (reason !== undefined) throw new UntrustedFile(reason);
    const buffer = new Uint8Array(policyTextLimits.bytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    await handle.close();
  }
}

/** Why a file is not trusted; undefined if it is. Where there are no Unix permissions, folders protect it. */
function distrust(stats: Stats): string | undefined {
  if (!stats.isFile()) return "is no plain file";
  const user = process.geteuid?.();
  if (user === undefined) return undefined;
  if (stats.uid !== 0 && stats.uid !== user) return `belongs to another user (id ${stats.uid})`;
  const isForOthers = (stats.mode & 0o002) !== 0 || ((stats.mode & 0o020) !== 0 && stats.gid !== 0);
  return isForOthers ? "can be changed by other users: run `chmod go-w` on it" : undefined;
}
