import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import type { BundleDocument } from "../../protocol/control/bundle.ts";
import { makeSigningKey, policyOf, SigningSide } from "../../test/bundles/signed-bundles.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { noTrouble } from "../../test/state/state-samples.ts";
import { openState } from "../state/open-state.ts";
import type { State } from "../state/state.ts";
import { BundleBook } from "./bundle-book.ts";
import { BundleCopy } from "./bundle-copy.ts";

const { signal } = new AbortController();
const side = new SigningSide();
let folder: string;
let state: State;

const openTheState = (): State =>
  openState({ folder: path.join(folder, "state"), nowMs: () => 1, onTrouble: noTrouble });

beforeEach(() => {
  folder = newMemoryFolder("bundle-book-");
  for (const name of ["state", "identity"]) mkdirSync(path.join(folder, name));
  state = openTheState();
});

afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

/** The book as it is after a start of the agent. */
async function started(): Promise<BundleBook> {
  const copy = new BundleCopy(openDurableFiles(), path.join(folder, "identity"));
  const book = new BundleBook({ reader: side.reader, store: state.bundles, copy, nowMs: () => 1 });
  await book.load();
  return book;
}

/** `accepted`, `unchanged`, or the code of the refusal. */
async function offer(book: BundleBook, jws: string): Promise<string> {
  const verdict = await book.offer(jws, signal);
  return verdict.kind === "refused" ? verdict.reason.code : verdict.kind;
}

const numbered = (serial: number, given: Partial<BundleDocument> = {}): string =>
  side.bundle({ serial, ...given });

it("a new machine has none; the first that is good is in force, and still after a restart", async () => {
  const book = await started();
  expect(book.inForce).toBeUndefined();
  expect(book.acceptedSerial).toBe(0);
  expect(await offer(book, numbered(7))).toBe("accepted");
  const again = await started();
  expect(again.inForce?.serial).toBe(7);
  expect(again.inForce?.policies.has("documents")).toBe(true);
  expect(again.acceptedSerial).toBe(7);
  expect(again.refusal).toBeUndefined();
});

it("what is refused leaves everything as it was, and is told until something newer is accepted", async () => {
  const book = await started();
  await offer(book, numbered(7));
  for (const [jws, code] of [
    [numbered(6), "BUNDLE_OLD"],
    ["", "BUNDLE_TRUNCATED"],
    [side.bundle({ serial: 8 }, makeSigningKey("policy-1")), "BUNDLE_UNSIGNED"],
    [numbered(8, { agentId: "agent-2" }), "BUNDLE_FOREIGN"],
  ] as const) {
    expect(await offer(book, jws)).toBe(code);
    expect(book.inForce?.serial).toBe(7);
    expect(book.refusal?.code).toBe(code);
    expect((await started()).inForce?.serial).toBe(7);
  }
  expect(await offer(book, numbered(8))).toBe("accepted");
  expect(book.refusal).toBeUndefined();
});

it("the same again changes nothing", async () => {
  const book = await started();
  const jws = numbered(7);
  await offer(book, jws);
  expect(await offer(book, jws)).toBe("unchanged");
  expect(state.bundles.all()).toHaveLength(1);
});

it("the database lost: the copy beside the identity is in force", async () => {
  await offer(await started(), numbered(7));
  state.bundles.clear();
  const book = await started();
  expect(book.inForce?.serial).toBe(7);
  expect(await offer(book, numbered(6))).toBe("BUNDLE_OLD");
});

it("the database from yesterday: today's bundle is in force, and nothing older is accepted", async () => {
  await offer(await started(), numbered(7));
  const file = path.join(folder, "state", "state.db");
  state.close();
  copyFileSync(file, `${file}.yesterday`);
  state = openTheState();
  await offer(await started(), numbered(8));
  state.close();
  copyFileSync(`${file}.yesterday`, file);
  state = openTheState();
  expect(state.bundles.all()).toHaveLength(1);
  const book = await started();
  expect(book.inForce?.serial).toBe(8);
  expect(await offer(book, numbered(7))).toBe("BUNDLE_OLD");
});

it("the copy lost or damaged: the database counts", async () => {
  await offer(await started(), numbered(7));
  writeFileSync(path.join(folder, "identity", "bundle.json"), '{"version":1');
  expect((await started()).inForce?.serial).toBe(7);
  rmSync(path.join(folder, "identity", "bundle.json"));
  const book = await started();
  expect(book.inForce?.serial).toBe(7);
  expect(await offer(book, numbered(6))).toBe("BUNDLE_OLD");
});

it("the newest kept bundle can no longer be verified: the one before is in force, and the newest may come again", async () => {
  const book = await started();
  await offer(book, numbered(7));
  const newest = numbered(8);
  await offer(book, newest);
  const [kept] = state.bundles.all();
  state.bundles.put({ ...kept, jws: `${newest.slice(0, -6)}AAAAAA` });
  state.bundles.put({ jws: numbered(7), floors: kept.floors, acceptedMs: 1 });
  rmSync(path.join(folder, "identity", "bundle.json"));
  const again = await started();
  expect(again.inForce?.serial).toBe(7);
  expect(again.acceptedSerial).toBe(8);
  expect(again.refusal?.code).toMatch(/^BUNDLE_/);
  expect(await offer(again, newest)).toBe("accepted");
});

it("a copy that can't be written is told, and written later", async () => {
  const identity = path.join(folder, "identity");
  rmSync(identity, { recursive: true });
  const book = await started();
  const jws = numbered(7);
  expect(await offer(book, jws)).toBe("accepted");
  expect(book.isCopied).toBe(false);
  mkdirSync(identity);
  chmodSync(identity, 0o700);
  expect(await offer(book, jws)).toBe("unchanged");
  expect(book.isCopied).toBe(true);
  state.bundles.clear();
  expect((await started()).inForce?.serial).toBe(7);
});

it("after a machine has left its fleet nothing is kept", async () => {
  const book = await started();
  await offer(book, numbered(7));
  await book.clear();
  expect((await started()).inForce).toBeUndefined();
  expect(await offer(await started(), numbered(3))).toBe("accepted");
});

it("a bundle without policies is refused where there were some, unless it is said that it is meant", async () => {
  const book = await started();
  const nothing = { policies: [], destinations: [], secrets: {} };
  expect(await offer(book, numbered(6, nothing))).toBe("accepted");
  expect(await offer(book, numbered(7))).toBe("accepted");
  expect(await offer(book, numbered(8, nothing))).toBe("BUNDLE_EMPTY");
  expect(book.inForce?.policies.size).toBe(1);
  expect(await offer(book, numbered(9, { ...nothing, intent: "stop" }))).toBe("accepted");
  expect(book.inForce?.policies.size).toBe(0);
});

it("a bundle that backs up less than half of the places is refused likewise", async () => {
  const book = await started();
  const paths = (names: readonly string[]): Partial<BundleDocument> => ({
    policies: [policyOf("documents", names)],
  });
  await offer(book, numbered(1, paths(["/a", "/b", "/c", "/d"])));
  expect(await offer(book, numbered(2, paths(["/a"])))).toBe("BUNDLE_EMPTY");
  expect(await offer(book, numbered(3, paths(["/a", "/b"])))).toBe("accepted");
  expect(await offer(book, numbered(4, paths(["/elsewhere"])))).toBe("BUNDLE_EMPTY");
  expect(await offer(book, numbered(5, paths(["/"])))).toBe("accepted");
  expect(await offer(book, numbered(6, { ...paths(["/x"]), intent: "pause" }))).toBe("accepted");
});
