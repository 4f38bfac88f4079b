/** Where the daemon of this machine listens. */
import path from "node:path";
import { BackstayError } from "../protocol/backstay-error.ts";
import { runtimeDirectory } from "./standard-paths.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface LocalApiAddress {
  /** What `net.connect` and `listen` take. */
  readonly path: string;
  /** True for a named pipe of Windows, which is no file. */
  readonly isPipe: boolean;
  /** The file whose lock says that a daemon listens, or is about to. */
  readonly lockFile: string;
}

/** What fits into the system's address of a socket, without the zero byte at its end. */
const linuxPathBytesMax = 107;
const darwinPathBytesMax = 103;

/**
 * `agent.sock` in the folder of `runtimeDirectory`, or a named pipe on Windows. DAEMON_PLACE if the path is longer than
 * the system takes.
 */
export function localApiAddress(environment: Environment): LocalApiAddress {
  const folder = runtimeDirectory(environment);
  const lockFile = path.join(folder, "daemon.lock");
  if (process.platform === "win32")
    return { path: pipeName(environment, folder), isPipe: true, lockFile };
  const socket = path.join(folder, "agent.sock");
  const sizeBytes = Buffer.byteLength(socket);
  const most = process.platform === "darwin" ? darwinPathBytesMax : linuxPathBytesMax;
  if (sizeBytes > most)
    throw new BackstayError("DAEMON_PLACE", {
      path: socket,
      problem: `${sizeBytes} bytes long, and a socket's path has at most ${most}`,
    });
  return { path: socket, isPipe: false, lockFile };
}

/** Agents with homes of their own have pipes of their own; file names have no case there. */
function pipeName(environment: Environment, folder: string): string {
  const home = environment["BACKSTAY_HOME"] ?? "";
  const own = home === "" ? "" : `-${folder.toLowerCase().replaceAll(/[\\/:]+/g, "-")}`;
  return String.raw`\\.\pipe\backstay${own}`;
}
