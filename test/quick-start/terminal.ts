/** A shell that stays open, as a person's terminal: what is exported or started in the background in it stays. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";

export interface TerminalOptions {
  readonly name: string;
  /** What stands before `bash`: `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  /** Where its scripts are written. */
  readonly folder: string;
  readonly workingFolder: string;
  readonly environment: Readonly<Record<string, string>>;
}

const stepMsMax = 120_000;

export class Terminal {
  readonly #options: TerminalOptions;
  readonly #shell: ChildProcess;
  #output = "";
  #steps = 0;

  constructor(options: TerminalOptions) {
    this.#options = options;
    const { prefix = [], workingFolder, environment } = options;
    const [program, ...args] = [...prefix, "bash", "--noprofile", "--norc"];
    this.#shell = spawn(program, args, {
      cwd: workingFolder,
      env: { ...environment },
      stdio: "pipe",
    });
    for (const stream of [this.#shell.stdout, this.#shell.stderr])
      stream?.on("data", (piece: Buffer) => (this.#output += piece.toString()));
    this.#shell.stdin?.on("error", () => undefined);
  }

  /** Runs commands one after another; their output. Rejects with it at the first that fails. */
  async run(commands: string): Promise<string> {
    this.#steps += 1;
    const file = path.join(this.#options.folder, `${this.#options.name}-${this.#steps}.sh`);
    writeFileSync(file, commands);
    const mark = `done-${randomUUID()}`;
    const from = this.#output.length;
    // The commands get no input, or they would eat what follows them here.
    this.#shell.stdin?.write(`set -eo pipefail\n. ${file} </dev/null\nset +e\necho ${mark}\n`);
    const end = Date.now() + stepMsMax;
    for (;;) {
      const text = this.#output.slice(from);
      if (text.includes(mark)) return text.replace(`${mark}\n`, "");
      const { exitCode, signalCode } = this.#shell;
      if (exitCode !== null || signalCode !== null || Date.now() > end) {
        const what = Date.now() > end ? "does not come to its end" : "failed";
        throw new Error(`${this.#options.name}: ${what}:\n${commands}\n--- output:\n${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the shell; what it has started in the background goes on. */
  close(): void {
    this.#shell.kill("SIGKILL");
  }
}
