/** A folder, a repository and orders for engines, for tests that start real ones. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BackupWork, EngineMessage, RunOrder, RunReport } from "../../protocol/run-order.ts";
import { newMemoryFolder } from "../memory-folder.ts";

export const engineProgram: string = fileURLToPath(
  new URL("../../agent/bin/engine.ts", import.meta.url),
);
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/backstay", import.meta.url));
export const scenePassword = "a pass word of the scene";

/** An engine that has ended. */
export interface EndedEngine {
  readonly exitCode: number | null;
  readonly messages: readonly EngineMessage[];
  readonly report: RunReport | undefined;
  readonly stderr: string;
  readonly stdout: string;
}

export class EngineScene {
  readonly folder: string = newMemoryFolder("engine-scene-");
  readonly source: string = path.join(this.folder, "source");
  readonly repository: string = path.join(this.folder, "repository");
  readonly cacheRoot: string = path.join(this.folder, "cache");
  readonly reportFile: string = path.join(this.folder, "report.json");
  readonly #children = new Set<ChildProcess>();

  constructor() {
    mkdirSync(path.join(this.source, "docs"), { recursive: true });
    writeFileSync(path.join(this.source, "docs", "one"), "one\n");
    writeFileSync(path.join(this.source, "two"), Buffer.alloc(300_000, "two "));
  }

  remove(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Files of so many bytes each, which can't be compressed. */
  addNoise(files: number, bytes: number): void {
    for (let i = 0; i < files; i += 1)
      writeFileSync(path.join(this.source, `noise-${i}`), randomBytes(bytes));
  }

  /** A backup of the source, unless `work` says otherwise. */
  order(
    given: Partial<Omit<RunOrder, "work">> = {},
    work: Partial<BackupWork> = {},
  ): RunOrder & { readonly work: BackupWork } {
    return {
      version: 2,
      sessionId: "00000000000000aa",
      repository: {
        routes: [{ kind: "direct", url: this.repository }],
        password: scenePassword,
        create: true,
      },
      reportFile: this.reportFile,
      cacheRoot: this.cacheRoot,
      limits: {},
      lockWaitMs: 0,
      work: {
        kind: "backup",
        hostName: "scene",
        paths: [Buffer.from(this.source).toString("base64")],
        tags: ["t"],
        exclude: [],
        excludeIgnoringCase: [],
        excludeCaches: false,
        excludeIfPresent: [],
        oneFileSystem: false,
        ownPlaces: [],
        compression: "auto",
        ...work,
      },
      ...given,
    };
  }

  /** Starts an engine, gives it a line, and keeps its input open. */
  start(line: string): ChildProcess {
    const child = spawn(process.execPath, [engineProgram], {
      stdio: "pipe",
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    });
    this.#children.add(child);
    child.stdin?.on("error", () => undefined);
    child.stdin?.write(line);
    return child;
  }

  /** Runs an order to its end; `onMessage` may do something to it meanwhile. */
  async run(
    order: RunOrder | string,
    onMessage: (message: EngineMessage, child: ChildProcess) => void = () => undefined,
  ): Promise<EndedEngine> {
    return await endOf(
      this.start(typeof order === "string" ? order : `${JSON.stringify(order)}\n`),
      onMessage,
    );
  }
}

/** Reads all messages of an engine until it has ended. */
export async function endOf(
  child: ChildProcess,
  onMessage: (message: EngineMessage, child: ChildProcess) => void = () => undefined,
): Promise<EndedEngine> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("no pipes");
  const messages: EngineMessage[] = [];
  let [said, complained] = ["", ""];
  stderr.on("data", (data: Buffer) => (complained += data.toString()));
  createInterface({ input: stdout }).on("line", (line) => {
    said += `${line}\n`;
    const message = JSON.parse(line) as EngineMessage;
    messages.push(message);
    onMessage(message, child);
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const last = messages.at(-1);
  const report = last?.type === "report" ? last.report : undefined;
  return { exitCode, messages, report, stderr: complained, stdout: said };
}
