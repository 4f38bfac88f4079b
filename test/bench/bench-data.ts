/** The data that benchmarks run on, the same for every program and every run. */
import { createCipheriv } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";

const pieceBytes = 16 * 1024 * 1024;

/** Writes `count` files of `bytes` each that no compressor makes smaller. */
export function writeIncompressible(folder: string, count: number, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  const cipher = createCipheriv("aes-256-ctr", Buffer.alloc(32, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(pieceBytes);
  for (let i = 0; i < count; i += 1) {
    const descriptor = openSync(path.join(folder, `file-${i}.bin`), "w");
    for (let left = bytes; left > 0; left -= pieceBytes)
      writeSync(descriptor, cipher.update(zeros.subarray(0, Math.min(left, pieceBytes))));
    closeSync(descriptor);
  }
}

const filesPerFolder = 100;
const textBytesMin = 2000;
const textBytesSpread = 4200;

/**
 * Writes `count` files of 2 to 6 KB, cut at random places from the JavaScript, TypeScript and Markdown
 * files of this checkout's dependencies: text as it is really found on disks.
 */
export function writeTexts(folder: string, count: number, modules: string): void {
  const text = readTexts(modules);
  const random = generator(12345);
  for (let written = 0; written < count; ) {
    const name = Math.floor(written / filesPerFolder);
    const target = path.join(folder, `d${name % 40}`, `s${Math.floor(name / 40)}`);
    mkdirSync(target, { recursive: true });
    for (let i = 0; i < filesPerFolder && written < count; i += 1, written += 1) {
      const length = textBytesMin + Math.floor(random() * textBytesSpread);
      const at = Math.floor(random() * (text.length - length));
      writeFileSync(path.join(target, `file${i}.txt`), text.subarray(at, at + length));
    }
  }
}

/** The texts of a folder of modules in a fixed order. */
function readTexts(modules: string): Buffer {
  const names = readdirSync(modules, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(js|ts|mjs|cjs|md)$/.test(name))
    .sort();
  const texts: Buffer[] = [];
  for (const name of names) {
    const file = path.join(modules, name);
    const { size } = statSync(file);
    if (size > 6000 && size < 3_000_000) texts.push(readFileSync(file));
  }
  return Buffer.concat(texts);
}

/** A small linear congruential generator (Numerical Recipes' constants), 0 … 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}
