/** Runs a program of the system: found in fixed places, without a shell, in English, within a time and an amount of output. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";

/** Where distributions keep programs; the caller's PATH is not asked. */
const folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
const outputBytesMax = 1 << 20;

export interface ToolResult {
  /** Undefined if a signal or the time limit ended it, or it did not start. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  /** What it said went wrong; never empty if the exit code is not 0. */
  readonly problem: string;
}

/** The absolute path of a program; undefined if this machine has none of that name. */
export function toolPath(name: string): string | undefined {
  return folders
    .map((folder) => `${folder}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Runs it to its end, or kills it after `timeoutMs`; `input` is all that it can read. Never rejects: a program that is absent
 * is a result too.
 */
export async function runTool(
  name: string,
  args: readonly string[],
  timeoutMs: number,
  input?: Uint8Array,
): Promise<ToolResult> {
  const path = toolPath(name);
  if (path === undefined)
    return { exitCode: undefined, stdout: "", problem: `${name} is not installed` };
  const options = {
    env: { LC_ALL: "C", PATH: folders.join(":") },
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: outputBytesMax,
    encoding: "utf8",
  } as const;
  return await new Promise((resolve) => {
    const child = execFile(path, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, problem: "" });
      else {
        const exitCode = typeof error.code === "number" ? error.code : undefined;
        resolve({ exitCode, stdout, problem: stderr.trim() || `${name} ended: ${error.message}` });
      }
    });
    // A program that ends without reading it tells why by its exit code.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
