/** `backstay-server`'s commands against a real server's routes, in this process: only the certificate is left out. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { runCommandLine } from "../../server/cli/main.ts";
import type { Role } from "../../server/http/route-access.ts";
import { type ManagementScene, openManagementScene } from "./management-scene.ts";

export interface Ran {
  readonly json: unknown;
  readonly text: string;
  /** Lines of standard error. */
  readonly notes: readonly string[];
  readonly exitCode: number;
}

export interface RunOptions {
  readonly input?: string;
  /** Whose token; an administrator of everything if absent. */
  readonly tenant?: "a" | "b" | "*";
  readonly role?: Role;
}

const never = new AbortController().signal;

export class CommandScene {
  readonly folder: string;
  readonly scene: ManagementScene;
  readonly url: string;

  private constructor(folder: string, scene: ManagementScene) {
    this.folder = folder;
    this.scene = scene;
    const { port } = scene.app.server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<CommandScene> {
    const folder = mkdtempSync(path.join(tmpdir(), "backstay-commands-"));
    const scene = await openManagementScene(path.join(folder, "server.db"));
    await scene.app.listen({ host: "127.0.0.1", port: 0 });
    return new CommandScene(folder, scene);
  }

  async stop(): Promise<void> {
    await this.scene.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes a file into the scene's folder; its path. */
  file(name: string, content: string): string {
    const file = path.join(this.folder, name);
    writeFileSync(file, content);
    return file;
  }

  /** Runs one command line. Rejects as the program would fail. */
  async run(
    args: readonly string[],
    { input = "", tenant = "*", role = "admin" }: RunOptions = {},
  ): Promise<Ran> {
    const tokenFile = this.file("token", `${this.scene.token(tenant, role)}\n`);
    const environment = { BACKSTAY_SERVER: this.url, BACKSTAY_SERVER_TOKEN_FILE: tokenFile };
    return await runCommand(args, environment, input);
  }
}

/** Runs one command line in this process. */
export async function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  input = "",
): Promise<Ran> {
  const notes: string[] = [];
  let written = "";
  const io = {
    input: Readable.from(input === "" ? [] : [Buffer.from(input)]),
    write: async (bytes: Uint8Array | string) => {
      written += typeof bytes === "string" ? bytes : Buffer.from(bytes).toString();
    },
    note: (line: string) => void notes.push(line),
  };
  const { json, lines, exitCode = 0 } = await runCommandLine(args, environment, io, never);
  return { json, text: written + lines.join("\n"), notes, exitCode };
}
