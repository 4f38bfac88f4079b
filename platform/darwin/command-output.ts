/** The programs of macOS that the adapters ask, and nothing else: no shell, in English, within a time and an amount of output. */
import { runTool, type ToolResult } from "../node/run-tool.ts";

export type DarwinProgram =
  | "diskutil"
  | "dscl"
  | "ioreg"
  | "ipconfig"
  | "mount"
  | "networksetup"
  | "pmset"
  | "scutil"
  | "security"
  | "shutdown";

/** Runs one to its end; never rejects. `input` is all that it can read. */
export type DarwinCommands = (
  program: DarwinProgram,
  args: readonly string[],
  input?: string,
) => Promise<ToolResult>;

const timeoutMs = 30_000;
/** Waits until everybody has let go of a drive, and for its motor. */
const diskTimeoutMs = 120_000;

export const darwinCommands: DarwinCommands = async (program, args, input) =>
  await runTool(
    program,
    args,
    program === "diskutil" ? diskTimeoutMs : timeoutMs,
    input === undefined ? undefined : Buffer.from(input),
  );
