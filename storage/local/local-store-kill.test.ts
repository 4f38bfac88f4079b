/** Processes that are killed while they save: what a local store holds afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { LocalStore } from "./local-store.ts";

const never = new AbortController().signal;
const base = mkdtempSync(join(tmpdir(), "backstay-local-kill-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Saves packs, four at a time, until it is killed; prints the name of each that was stored. */
const savingProgram = `
  import { createHash, randomFillSync } from "node:crypto";
  import { writeSync } from "node:fs";
  const [folder, module, node] = process.argv.slice(1);
  const { LocalStore } = await import(module);
  const { NodeDurableFiles } = await import(node);
  const { allocateAligned } = await import(new URL("aligned-memory.ts", node).href);
  const plain = process.env.PLAIN === "1" ? { files: new NodeDurableFiles() } : {};
  const store = new LocalStore(folder, plain);
  const save = async (sizeBytes) => {
    for (;;) {
      const data = allocateAligned(sizeBytes);
      randomFillSync(data, 0, 64);
      const name = createHash("sha256").update(data).digest("hex");
      await store.save({ type: "data", name }, data, new AbortController().signal);
      writeSync(1, name + "\\n");
    }
  };
  await Promise.all([save(3 * 1024 * 1024 + 1), save(2 * 1024 * 1024), save(100_000), save(70)]);
`;

function startSaving(root: string, isPlain: boolean): ChildProcess {
  const modules = ["./local-store.ts", "../../platform/node/node-durable-files.ts"];
  const urls = modules.map((module) => pathToFileURL(join(import.meta.dirname, module)).href);
  const values = ["--input-type=module", "-e", savingProgram, root, ...urls];
  const env = { ...process.env, NODE_OPTIONS: "", PLAIN: isPlain ? "1" : "0" };
  return spawn(process.execPath, values, { env, stdio: ["ignore", "pipe", "inherit"] });
}

/** Kills the process when it has stored so many files and some time more; returns what it had stored. */
async function killAfter(child: ChildProcess, files: number, delayMs: number): Promise<string[]> {
  let output = "";
  const { stdout } = child;
  if (stdout === null) throw new Error("the process has no output");
  stdout.setEncoding("utf8");
  const isEnded = once(child, "close");
  await new Promise<void>((resolve) => {
    stdout.on("data", (text: string) => {
      output += text;
      if (output.split("\n").length > files) resolve();
    });
    void isEnded.then(() => resolve());
  });
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.kill("SIGKILL");
  await isEnded;
  expect(child.signalCode).toBe("SIGKILL");
  return output.split("\n").slice(0, -1);
}

describe("LocalStore after kill -9", () => {
  for (const isPlain of [false, true])
    it(`holds whole files only, and all that were reported (${isPlain ? "Node's calls" : "best calls"})`, async () => {
      const root = join(base, isPlain ? "plain" : "best");
      const store = new LocalStore(root);
      await store.create(never);
      await store.save({ type: "config", name: "" }, Uint8Array.of(1), never);
      const reported = new Set<string>();
      const checked = new Set<string>();
      for (let round = 0; round < 4; round += 1) {
        const child = startSaving(root, isPlain);
        for (const name of await killAfter(child, 5 + round * 3, round * 2)) reported.add(name);
        const listed = await Array.fromAsync(store.list("data", never));
        for (const { name, size } of listed) {
          if (checked.has(name)) continue;
          checked.add(name);
          const data = await store.load({ type: "data", name }, undefined, never);
          expect(data.length).toBe(size);
          expect(createHash("sha256").update(data).digest("hex")).toBe(name);
        }
        const names = new Set(listed.map((file) => file.name));
        for (const name of reported) expect(names.has(name)).toBe(true);
      }
      expect(reported.size).toBeGreaterThan(30);
      const leftovers = (): number =>
        readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
          name.includes("backstay_tmp_"),
        ).length;
      if (!isPlain && process.platform === "linux") expect(leftovers()).toBe(0);
      const later = new LocalStore(root, { now: () => Date.now() + 25 * 3_600_000 });
      await later.sweep(never);
      expect(leftovers()).toBe(0);
    }, 60_000);
});
