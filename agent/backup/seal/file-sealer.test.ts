import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCodec } from "../../../platform/open-codec.ts";
import { openSourceFiles } from "../../../platform/open-source-files.ts";
import {
  FileError,
  type SourceDirectory,
  type SourceFiles,
} from "../../../platform/ports/source-files.ts";
import { statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import {
  changingFiles,
  type FileMoment,
  type OnCall,
} from "../../../test/backup/changing-files.ts";
import { newMemoryFolder } from "../../../test/memory-folder.ts";
import { GearChunker, gearSecretBytes } from "../chunker/gear-chunker.ts";
import { ReadSlots } from "../threads/read-slots.ts";
import { fileBytesMax } from "../work/read-work.ts";
import { isSameContent } from "../work/same-record.ts";
import { SessionMemory } from "../work/session-memory.ts";
import { bufferBytes, FileSealer, type SealedFile } from "./file-sealer.ts";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const name = new Uint8Array(Buffer.from("file"));
const codec = openCodec();
const plain = openSourceFiles();
const secret = Uint8Array.from({ length: gearSecretBytes }, (_, i) => (i * 167) % 251);
const chunker = new GearChunker(secret, bufferBytes);

let folder = "";
let directory: SourceDirectory;

beforeEach(() => {
  folder = newMemoryFolder("sealer-");
  directory = plain.openDirectory(Buffer.from(folder));
});
afterEach(() => {
  directory.close();
  rmSync(folder, { recursive: true, force: true });
  blobs.clear();
});

const at = (entry = "file"): string => path.join(folder, entry);

const made = new Map<string, Buffer>();

/** Bytes of which no two stretches are alike. */
function bytesOf(length: number, seed = 1): Buffer {
  const key = `${seed} ${length}`;
  const known = made.get(key) ?? makeBytes(length, seed);
  made.set(key, known);
  return known;
}

function makeBytes(length: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed;
  for (let i = 0; i < words.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    words[i] = state ^ (state >>> 15);
  }
  return Buffer.from(words.buffer).subarray(0, length);
}

interface Sealed extends SealedFile {
  readonly content: Buffer;
  readonly record: Uint8Array;
}

const blobs = new Map<string, Buffer>();

function newSealer(files: SourceFiles): FileSealer {
  return new FileSealer({
    files,
    codec,
    chunker,
    packs: {
      store: (src, offset, length, ids, idOffset) => {
        const id = Buffer.from(ids.subarray(idOffset, idOffset + 32)).toString("hex");
        blobs.set(id, Buffer.from(src.subarray(offset, offset + length)));
      },
    },
    counters: new Float64Array(16),
    memory: new SessionMemory(1),
    slots: new ReadSlots(ReadSlots.create(0)),
  });
}

let script = newScript(() => undefined);
/** Forgets between tests what it does and counts, but not its memory. */
const sealer = newSealer({
  ...changingFiles(plain, () => undefined),
  openFile: (token, entry) => script.openFile(token, entry),
});

function newScript(onCall: OnCall): SourceFiles {
  return changingFiles(plain, onCall);
}

/** The record as the scan sees it now. */
function lookAt(): Uint8Array {
  const record = new Uint8Array(statRecordBytes);
  directory.stat(name, record, 0);
  return record;
}

/** What `by` has stored since its ids were reset. */
function contentOf(by: FileSealer): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < by.idCount; i += 1) {
    const id = Buffer.from(by.ids.subarray(i * 32, i * 32 + 32)).toString("hex");
    parts.push(blobs.get(id) ?? Buffer.from("missing"));
  }
  return Buffer.concat(parts);
}

/** Seals the file as the scan saw it in `record`. */
function seal(onCall: OnCall = () => undefined, record = lookAt()): Sealed {
  script = newScript(onCall);
  sealer.idCount = 0;
  const sealed = sealer.sealFile(directory.token, name, record, 0, (file) => {
    file.extendedAttributes();
  });
  return { ...sealed, content: contentOf(sealer), record };
}

function settleClock(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

const sizes = [0, 1, 512 * kibibyte, 512 * kibibyte + 1, 18 * mebibyte];

/** What can happen to a file of `size` bytes. */
const changes: Readonly<Record<string, (size: number) => void>> = {
  "grows a little": () => appendFileSync(at(), "x"),
  "grows a lot": () => appendFileSync(at(), bytesOf(mebibyte, 9)),
  "grows beyond the buffer": () => appendFileSync(at(), bytesOf(17 * mebibyte, 9)),
  "is emptied": () => truncateSync(at(), 0),
  "is cut in half": (size) => truncateSync(at(), size >> 1),
  "is written anew with the same size": (size) => writeFileSync(at(), bytesOf(size, 3)),
  vanishes: () => rmSync(at()),
  "is replaced by another file": (size) => {
    writeFileSync(at("other"), bytesOf(size + 5, 4));
    renameSync(at("other"), at());
  },
  "becomes a symlink": () => {
    rmSync(at());
    symlinkSync("/etc/passwd", at());
  },
  "becomes a folder": () => {
    rmSync(at());
    mkdirSync(at());
  },
  "becomes a fifo": () => {
    rmSync(at());
    execFileSync("mkfifo", [at()]);
  },
};

const moments: readonly (readonly [FileMoment, "before" | "after", number])[] = [
  ["open", "before", 1],
  ["open", "after", 1],
  ["read", "after", 1],
  ["read", "after", 2],
  ["stat", "after", 1],
  ["stat", "before", 2],
  ["attributes", "before", 1],
];

/** Content of the file if it is one. */
function contentNow(): Buffer | undefined {
  try {
    const record = lookAt();
    const type = (record[statAt.mode + 1] >> 4) & 0xf;
    return type === 8 ? readFileSync(at()) : undefined;
  } catch {
    return undefined;
  }
}

describe("a file that stays as it is", () => {
  it.each(sizes)("of %i bytes is stored whole, with nothing to report", (size) => {
    const content = bytesOf(size);
    writeFileSync(at(), content);
    settleClock();
    const sealed = seal();
    expect(sealed).toMatchObject({ isRead: true, size, issue: undefined, isFresh: false });
    expect(sealed.content.equals(content)).toBe(true);
    expect(sealed.record).toEqual(lookAt());
  });

  it("has the same blobs whether it is read whole or through a small file's way", () => {
    const content = bytesOf(512 * kibibyte);
    writeFileSync(at(), content);
    const record = lookAt();
    const stale = record.slice();
    new DataView(stale.buffer).setUint32(statAt.size, 600 * kibibyte, true);
    expect(seal(undefined, stale).content.equals(seal(undefined, record).content)).toBe(true);
  });

  it("is called fresh if it changed a moment before it was read", () => {
    writeFileSync(at(), "new");
    expect(seal().isFresh).toBe(true);
    settleClock();
    expect(seal().isFresh).toBe(false);
  });
});

describe.each(Object.entries(changes))("a file that %s", (what, change) => {
  it.each(moments)("%s is stored consistently: %s call %i", (moment, side, number) => {
    // Only the largest file takes a second read.
    const tried = number === 1 || moment === "stat" ? sizes.slice(0, -1) : sizes.slice(-1);
    for (const size of tried) {
      rmSync(at(), { recursive: true, force: true });
      writeFileSync(at(), bytesOf(size));
      const before = readFileSync(at());
      // Only a change of size shows within one step of the clock.
      if (what.includes("same size")) settleClock();
      const scanned = lookAt();
      const descriptors = openDescriptors();
      let isChanged = false;
      const sealed = seal((called, calledSide, calledNumber) => {
        if (called !== moment || calledSide !== side || calledNumber !== number) return;
        isChanged = true;
        change(size);
      }, scanned);
      const story = `${size} bytes`;
      expect(openDescriptors(), story).toBe(descriptors);
      expect(sealed.content.length, story).toBe(sealed.size);
      if (!isChanged) {
        expect(sealed.issue, story).toBeUndefined();
        continue;
      }
      if (!sealed.isRead) {
        expect(sealed.content.length, story).toBe(0);
        expect(sealed.issue?.code, story).toMatch(/^(ENOENT|ELOOP|EINVAL|EISDIR)$/);
      } else if (sealed.issue === undefined) {
        // Then it is the file as it was at one moment.
        const versions = [before, contentNow()].filter((version) => version !== undefined);
        expect(
          versions.some((version) => version.equals(sealed.content)),
          story,
        ).toBe(true);
        const size64 = new DataView(sealed.record.buffer).getBigUint64(statAt.size, true);
        expect(Number(size64), story).toBe(sealed.size);
      } else {
        expect(sealed.issue.code, story).toBe("CHANGED");
        if (contentNow() !== undefined)
          expect(isSameContent(sealed.record, 0, lookAt(), 0), story).toBe(false);
      }
    }
  });
});

describe("a file that goes on changing", () => {
  it("is left at some point if it grows as fast as it is read", () => {
    for (const size of [100, 600 * kibibyte]) {
      writeFileSync(at(), bytesOf(size));
      const sealed = seal((moment, side) => {
        if (moment === "read" && side === "before") appendFileSync(at(), bytesOf(17 * mebibyte));
      });
      expect(sealed).toMatchObject({ isRead: true, issue: { code: "CHANGED" } });
      expect(sealed.content.length).toBe(sealed.size);
      expect(sealed.size).toBeLessThan(120 * mebibyte);
    }
  });

  it("is stored as of the second look if it changes at each", () => {
    writeFileSync(at(), "1");
    let written = 1;
    const sealed = seal((moment, side) => {
      if (moment !== "read" || side !== "after") return;
      written += 1;
      writeFileSync(at(), String(written));
    });
    expect(sealed).toMatchObject({ isRead: true, size: 1, issue: { code: "CHANGED" } });
    expect(sealed.content.toString()).toBe("2");
  });
});

describe("a file of a range", () => {
  /** Seals `[start, end)` of the file. */
  function sealRange(start: number, end: number, isLast: boolean, onCall?: OnCall): Sealed {
    script = newScript(onCall ?? (() => undefined));
    sealer.idCount = 0;
    const record = lookAt();
    const range = { start, end, isLast };
    const sealed = sealer.sealRange(directory.token, name, record, range, () => undefined);
    return { ...sealed, content: contentOf(sealer), record };
  }

  it("holds exactly its bytes, the last one all to the end", () => {
    const content = bytesOf(5 * mebibyte);
    writeFileSync(at(), content);
    settleClock();
    for (const [start, end, isLast] of [
      [0, 2 * mebibyte, false],
      [2 * mebibyte, 4 * mebibyte, false],
      [4 * mebibyte, 6 * mebibyte, true],
    ] as const) {
      const sealed = sealRange(start, end, isLast);
      expect(sealed).toMatchObject({ isRead: true, issue: undefined });
      expect(sealed.content.equals(content.subarray(start, end))).toBe(true);
    }
  });

  it("is short, or empty, and reported where the file was cut", () => {
    writeFileSync(at(), bytesOf(5 * mebibyte));
    const cut: OnCall = (moment, side) => {
      if (moment === "open" && side === "after") truncateSync(at(), 3 * mebibyte);
    };
    for (const [start, size] of [
      [2 * mebibyte, mebibyte],
      [4 * mebibyte, 0],
    ] as const) {
      writeFileSync(at(), bytesOf(5 * mebibyte));
      const sealed = sealRange(start, start + 2 * mebibyte, false, cut);
      expect(sealed).toMatchObject({ isRead: true, size, issue: { code: "CHANGED" } });
      expect(sealed.content.length).toBe(size);
    }
  });
});

describe("what a file system may say wrongly", () => {
  /** Files of which `stat` tells another size than they have. */
  function lying(size: number, record: Uint8Array): Sealed {
    const real = changingFiles(plain, () => undefined);
    const tell = (target: Uint8Array, offset: number): void => {
      const view = new DataView(target.buffer, target.byteOffset + offset);
      view.setBigUint64(statAt.size, BigInt(size), true);
      view.setBigUint64(statAt.blocks, BigInt(Math.ceil(size / 512)), true);
    };
    tell(record, 0);
    script = {
      ...real,
      openFile: (token, entry) => {
        const file = real.openFile(token, entry);
        return {
          ...file,
          stat: (target, offset) => {
            file.stat(target, offset);
            tell(target, offset);
          },
        };
      },
    };
    sealer.idCount = 0;
    const sealed = sealer.sealFile(directory.token, name, record, 0, () => undefined);
    return { ...sealed, content: contentOf(sealer), record };
  }

  it("an unknown size as none: everything is read all the same", () => {
    for (const size of [5, 512 * kibibyte, 600 * kibibyte, 70 * mebibyte]) {
      const content = bytesOf(size);
      writeFileSync(at(), content);
      const sealed = lying(0, lookAt());
      expect(sealed).toMatchObject({ isRead: true, size, issue: undefined });
      expect(sealed.content.equals(content)).toBe(true);
    }
  });

  it("a size that is too large: what is there is stored", () => {
    writeFileSync(at(), "short");
    expect(lying(4096, lookAt())).toMatchObject({ isRead: true, size: 5 });
    expect(lying(fileBytesMax, lookAt())).toMatchObject({ isRead: true, size: 5 });
  });
});

describe("a file that can't be read", () => {
  it("is left out with the error's name, and no blob of it stays in the list", () => {
    writeFileSync(at(), bytesOf(20 * mebibyte));
    const sealed = seal((moment, _side, number) => {
      if (moment === "read" && number === 2) throw new FileError("EIO", "pread", "file");
    });
    expect(sealed).toMatchObject({ isRead: false, size: 0, issue: { code: "EIO" } });
    expect(sealed.content.length).toBe(0);
  });

  it("keeps its content if only its attributes can't be read", () => {
    writeFileSync(at(), "content");
    settleClock();
    const sealed = seal((moment) => {
      if (moment === "attributes") throw new FileError("EIO", "flistxattr", "file");
    });
    expect(sealed).toMatchObject({ isRead: true, size: 7, issue: { code: "EIO" } });
  });
});
