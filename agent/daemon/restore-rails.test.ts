import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import { type AllowedTarget, allowedTarget } from "./restore-rails.ts";

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), "rails-")));
  for (const name of ["allowed", "other", "own"]) mkdirSync(path.join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => path.join(folder, name);

function asked(target: string, rails: GuardRails, origin: "machine" | "server"): AllowedTarget {
  const paths: string[] = [];
  const what = { snapshot: "latest", paths, overwrite: "never", verify: false } as const;
  return allowedTarget({ kind: "restore", ...what, target, origin }, rails, [at("own")]);
}

function isRefused(target: string, rails: GuardRails, origin: "machine" | "server"): boolean {
  try {
    asked(target, rails, origin);
    return false;
  } catch (error) {
    if (!isBackstayError(error, "RESTORE_RESTRICTED")) throw error;
    return true;
  }
}

it("lets people of the machine restore where they like, and the server into an empty folder", () => {
  expect(asked(at("other"), {}, "machine")).toEqual({
    target: at("other"),
    onlyIntoEmpty: false,
  });
  expect(asked(at("new/one"), {}, "server")).toEqual({
    target: at("new/one"),
    onlyIntoEmpty: true,
  });
  expect(asked(at("other"), { remoteRestore: "anywhere" }, "server").onlyIntoEmpty).toBe(false);
});

it("refuses what the server asks for where that is switched off, and nobody else", () => {
  expect(isRefused(at("new"), { remoteRestore: "off" }, "server")).toBe(true);
  expect(isRefused(at("new"), { remoteRestore: "off" }, "machine")).toBe(false);
});

it.each(["machine", "server"] as const)(
  "keeps a restore by the %s to the allowed folders",
  (by) => {
    const rails: GuardRails = { restoreTargets: [at("allowed")], remoteRestore: "anywhere" };
    symlinkSync(at("other"), at("allowed/link"));
    expect(isRefused(at("allowed/below/it"), rails, by)).toBe(false);
    for (const target of [
      "other",
      "allowed/../other",
      "allowed/link",
      "allowed/link/new",
      "allowedtoo",
    ])
      expect(isRefused(at(target), rails, by), target).toBe(true);
    expect(isRefused("relative/folder", {}, by)).toBe(true);
  },
);

it("lets nobody restore over the agent's own folders, by whatever name", () => {
  symlinkSync(at("own"), at("link"));
  for (const target of ["own", "own/policies", "link/policies"])
    expect(isRefused(at(target), { remoteRestore: "anywhere" }, "server"), target).toBe(true);
});
