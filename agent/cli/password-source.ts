/**
 * Finds the repository's password: options first, then the variables BACKSTAY_…, then RESTIC_…, and at last the
 * terminal, or a line of standard input. In each of them a file or a program goes before a plain value.
 */
import { spawn } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { isatty, type ReadStream } from "node:tty";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Environment } from "./environment.ts";
import type { PasswordOptions } from "./global-options.ts";
import { askPassword, readSecretLine } from "./password-prompt.ts";
import type { Screen } from "./screen.ts";
import { secretBytes } from "./secret-text.ts";
import { splitWords } from "./shell-words.ts";

export interface PasswordRequest {
  readonly options: PasswordOptions;
  readonly environment: Environment;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  /** What is asked for on a terminal. */
  readonly question: string;
  /** Ask twice on a terminal, for a password that is new. */
  readonly twice: boolean;
}

const secretBytesMax = 64 * 1024;

/** The password's bytes. PASSWORD_MISSING if there is none, or an empty one without `--insecure-no-password`. */
export async function findPassword(request: PasswordRequest): Promise<Uint8Array> {
  const { options } = request;
  const ways = Number(options.file !== undefined) + Number(options.command !== undefined);
  if (ways + Number(options.none) > 1)
    throw new BackstayError("USAGE", {
      problem: "give only one of --password-file, --password-command and --insecure-no-password",
    });
  if (options.none) return new Uint8Array(0);
  const password = (await givenPassword(request)) ?? (await typedPassword(request));
  if (password.length === 0)
    throw new BackstayError("PASSWORD_MISSING", { problem: "it is empty" });
  return password;
}

async function givenPassword(request: PasswordRequest): Promise<Uint8Array | undefined> {
  const { options, environment, signal } = request;
  if (options.file !== undefined) return await fromFile(options.file, "--password-file", signal);
  if (options.command !== undefined)
    return await fromCommand(options.command, "--password-command", signal);
  for (const program of ["BACKSTAY", "RESTIC"]) {
    const fileName = `${program}_PASSWORD_FILE`;
    const commandName = `${program}_PASSWORD_COMMAND`;
    const file = environment[fileName] ?? "";
    if (file !== "") return await fromFile(file, fileName, signal);
    const command = environment[commandName] ?? "";
    if (command !== "") return await fromCommand(command, commandName, signal);
    const plain = environment[`${program}_PASSWORD`] ?? "";
    if (plain !== "") return new TextEncoder().encode(plain);
  }
  return undefined;
}

async function typedPassword(request: PasswordRequest): Promise<Uint8Array> {
  const { screen, signal, question } = request;
  // Standard input is opened only here: it may be a pipe that something else is to read.
  if (!isatty(0)) return await readSecretLine(process.stdin, signal);
  const terminal = process.stdin as ReadStream;
  const first = await askPassword(terminal, screen, `${question}: `, signal);
  if (!request.twice || first.length === 0) return first;
  const second = await askPassword(terminal, screen, `${question}, once more: `, signal);
  if (Buffer.compare(first, second) !== 0)
    throw new BackstayError("USAGE", { problem: "the two passwords differ" });
  return first;
}

/** A password file, which may also be a pipe or a device. */
export async function fromFile(
  file: string,
  origin: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    const found = await stat(file);
    if (found.isFile() && found.size > secretBytesMax)
      throw new BackstayError("PASSWORD_MISSING", { in: origin, file, problem: "it is too large" });
    return secretBytes(await readFile(file, { signal }), origin);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BackstayError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new BackstayError(
      "PASSWORD_MISSING",
      { in: origin, file, problem: `it cannot be read: ${code}` },
      error,
    );
  }
}

/** The first output of a program, which may ask its own questions on the terminal. */
async function fromCommand(line: string, origin: string, signal: AbortSignal): Promise<Uint8Array> {
  const [program, ...args] = splitWords(line, origin);
  const failure = (problem: string, cause?: unknown): BackstayError =>
    new BackstayError("PASSWORD_MISSING", { in: origin, program, problem }, cause);
  const child = spawn(program, args, { stdio: ["inherit", "pipe", "inherit"], signal });
  const output = new Promise<Uint8Array>((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    child.stdout.on("data", (part: Uint8Array) => {
      parts.push(part);
      length += part.length;
      if (length > secretBytesMax) child.kill();
    });
    // The error's own text repeats the whole command line, which may hold secrets.
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(signal.aborted ? signal.reason : failure(`cannot be started: ${error.code}`)),
    );
    child.on("close", (code, killedBy) => {
      if (length > secretBytesMax) reject(failure("it prints too much for a password"));
      else if (code === 0) resolve(Buffer.concat(parts));
      else reject(failure(`it ended with ${code === null ? killedBy : `exit code ${code}`}`));
    });
  });
  return secretBytes(await output, origin);
}
