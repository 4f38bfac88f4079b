import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  FileError,
  type FileExtent,
  type SourceDirectory,
  type SourceFile,
} from "../ports/source-files.ts";
import { modeType, statRecordBytes } from "../ports/stat-record.ts";
import { AwkwardEntries } from "./awkward-entries.ts";
import { LinuxSourceFiles } from "./linux-source-files.ts";

const files = new LinuxSourceFiles();
const entries = new AwkwardEntries();
const record = new Uint8Array(statRecordBytes);
const fileName = Buffer.from("file");

let folder = "";
let directory: SourceDirectory;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "changing-source-"));
  directory = files.openDirectory(Buffer.from(folder));
});
afterEach(() => {
  directory.close();
  rmSync(folder, { recursive: true, force: true });
});

function at(name: string): string {
  return join(folder, name);
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof FileError ? error.code : String(error);
  }
  return "no error";
}

function readText(file: SourceFile): string {
  const buffer = Buffer.alloc(100);
  return buffer.subarray(0, file.read(buffer, 0, 100, 0)).toString();
}

describe.runIf(process.platform === "linux")("a source that changes under Linux", () => {
  it("says of an entry that vanished since it was listed that it is not there", () => {
    writeFileSync(at("file"), "");
    directory.list();
    rmSync(at("file"));
    expect(codeOf(() => directory.stat(fileName, record, 0))).toBe("ENOENT");
    expect(codeOf(() => files.openFile(directory.token, fileName))).toBe("ENOENT");
    expect(codeOf(() => directory.extendedAttributes(fileName))).toBe("ENOENT");
    expect(codeOf(() => directory.readLink(fileName))).toBe("ENOENT");
    expect(codeOf(() => directory.openDirectory(fileName))).toBe("ENOENT");
  });

  it("refuses a file that became something else since it was described", () => {
    writeFileSync(at("secret"), "secret");
    for (const [turn, code] of [
      [() => symlinkSync(at("secret"), at("file")), "ELOOP"],
      [() => entries.makeNode(at("file"), modeType.fifo | 0o644, 0), "EINVAL"],
      [() => mkdirSync(at("file")), "EINVAL"],
    ] as const) {
      writeFileSync(at("file"), "");
      directory.stat(fileName, record, 0);
      rmSync(at("file"));
      turn();
      expect(codeOf(() => files.openFile(directory.token, fileName))).toBe(code);
      rmSync(at("file"), { recursive: true });
    }
  });

  it("stays in the folder that it opened when a path above is swapped for a symlink", () => {
    mkdirSync(at("real"));
    writeFileSync(at("real/file"), "mine");
    mkdirSync(at("other"));
    writeFileSync(at("other/file"), "not mine");
    symlinkSync("../nowhere", at("other/link"));
    const opened = directory.openDirectory(Buffer.from("real"));
    renameSync(at("real"), at("moved"));
    symlinkSync("other", at("real"));
    const file = files.openFile(opened.token, fileName);
    expect(readText(file)).toBe("mine");
    expect(opened.list().count).toBe(1);
    expect(codeOf(() => opened.readLink(Buffer.from("link")))).toBe("ENOENT");
    entries.setAttribute(at("other/file"), "user.note", Buffer.of(1));
    expect(opened.extendedAttributes(fileName)).toEqual([]);
    file.close();
    opened.close();
  });

  it("fails to list a folder that is gone, instead of calling it empty", () => {
    mkdirSync(at("folder"));
    const opened = directory.openDirectory(Buffer.from("folder"));
    rmSync(at("folder"), { recursive: true });
    expect(codeOf(() => opened.list())).toBe("ENOENT");
    opened.close();
  });

  it("fails after it was closed", () => {
    writeFileSync(at("file"), "x");
    const file = files.openFile(directory.token, fileName);
    file.close();
    file.close();
    expect(codeOf(() => readText(file))).toBe("EBADF");
    expect(codeOf(() => file.stat(record, 0))).toBe("EBADF");
    expect(codeOf(() => file.extendedAttributes())).toBe("EBADF");
    const opened = files.openDirectory(Buffer.from(folder));
    opened.close();
    expect(codeOf(() => opened.list())).toBe("EBADF");
    expect(codeOf(() => opened.stat(fileName, record, 0))).toBe("EBADF");
  });

  it("waits for a file whose lease another process has to give up", async () => {
    writeFileSync(at("file"), "leased");
    // The signal that asks for the lease ends the process that holds it.
    const script = `
      const koffi = require("koffi");
      const { openSync } = require("node:fs");
      const fcntl = koffi.load(null).func("int fcntl(int, int, ...)");
      const descriptor = openSync(process.argv[1], "r+");
      const isHeld = fcntl(descriptor, 1024, "int", 1) === 0;
      process.stdout.write(isHeld ? "held" : "none");
      setTimeout(() => {}, 60_000);
    `;
    const holder = spawn(process.execPath, ["-e", script, at("file")], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: import.meta.dirname,
    });
    const [answer] = await once(holder.stdout, "data");
    expect(String(answer)).toBe("held");
    const ended = once(holder, "exit");
    const file = files.openFile(directory.token, fileName);
    expect(readText(file)).toBe("leased");
    file.close();
    const [, signal] = await ended;
    expect(signal).toBe("SIGIO");
  });

  it("opens files in a folder that another thread opened", async () => {
    writeFileSync(at("file"), "shared");
    const script = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.module).then(({ LinuxSourceFiles }) => {
        const file = new LinuxSourceFiles().openFile(workerData.token, Buffer.from("file"));
        const buffer = Buffer.alloc(10);
        const length = file.read(buffer, 0, 10, 0);
        file.close();
        parentPort.postMessage(buffer.toString("utf8", 0, length));
      });
    `;
    const module = new URL("./linux-source-files.ts", import.meta.url).href;
    const opened = files.openDirectory(Buffer.from(folder));
    renameSync(folder, `${folder}-moved`);
    const worker = new Worker(script, { eval: true, workerData: { module, token: opened.token } });
    const [text] = await once(worker, "message");
    renameSync(`${folder}-moved`, folder);
    expect(text).toBe("shared");
    opened.close();
  });
});

describe.runIf(process.platform === "linux")("sparse files on Linux", () => {
  const mebibyte = 1024 * 1024;

  function extentsOf(file: SourceFile, end: number): FileExtent[] {
    const extents: FileExtent[] = [];
    for (let position = 0; position < end; ) {
      const extent = file.extentAt(position, end);
      extents.push(extent);
      position += extent.length;
    }
    return extents;
  }

  function makeSparse(name: string, sizeBytes: number, dataAt: readonly number[]): void {
    const descriptor = openSync(at(name), "w");
    for (const position of dataAt) {
      writeSync(descriptor, Buffer.alloc(mebibyte, 1), 0, mebibyte, position);
    }
    closeSync(descriptor);
    truncateSync(at(name), sizeBytes);
  }

  it("tells holes from data", () => {
    const tebibyte = 2 ** 40;
    makeSparse("file", tebibyte, [mebibyte, tebibyte / 2]);
    const file = files.openFile(directory.token, fileName);
    expect(extentsOf(file, tebibyte)).toEqual([
      { kind: "hole", offset: 0, length: mebibyte },
      { kind: "data", offset: mebibyte, length: mebibyte },
      { kind: "hole", offset: 2 * mebibyte, length: tebibyte / 2 - 2 * mebibyte },
      { kind: "data", offset: tebibyte / 2, length: mebibyte },
      { kind: "hole", offset: tebibyte / 2 + mebibyte, length: tebibyte / 2 - mebibyte },
    ]);
    const half = mebibyte / 2;
    expect(file.extentAt(mebibyte + half, mebibyte + half + 10)).toEqual({
      kind: "data",
      offset: mebibyte + half,
      length: 10,
    });
    expect(file.extentAt(10, 20)).toEqual({ kind: "hole", offset: 10, length: 10 });
    file.close();
  });

  it("never calls what lies beyond the end of a file a hole", () => {
    makeSparse("file", 3 * mebibyte, [0]);
    const file = files.openFile(directory.token, fileName);
    expect(extentsOf(file, 5 * mebibyte)).toEqual([
      { kind: "data", offset: 0, length: mebibyte },
      { kind: "hole", offset: mebibyte, length: 2 * mebibyte },
      { kind: "data", offset: 3 * mebibyte, length: 2 * mebibyte },
    ]);
    truncateSync(at("file"), 0);
    expect(file.extentAt(mebibyte, 3 * mebibyte).kind).toBe("data");
    expect(file.read(new Uint8Array(10), 0, 10, mebibyte)).toBe(0);
    file.close();
  });
});
