/** What a policy backs up on a machine with these users, folders and variables. */
import { expect, it } from "vitest";
import type { UserAccount } from "../../platform/ports/user-accounts.ts";
import { guardRails } from "../../protocol/policy/guard-rails.ts";
import { type PolicyDocument, policy } from "../../protocol/policy/policy.ts";
import { parsePattern } from "../patterns/pattern.ts";
import { PatternSet } from "../patterns/pattern-set.ts";
import {
  localRepositories,
  type PolicyScope,
  resolveScope,
  type ScopeFacts,
} from "./policy-scope.ts";

const ann: UserAccount = {
  name: "ann",
  id: "1000",
  home: "/home/ann",
  folders: {
    documents: ["/home/ann/Documents"],
    pictures: ["/data/ann [pictures]"],
    downloads: ["/home/ann/Downloads"],
    desktop: ["/home/ann/Desktop"],
    "application-data": ["/home/ann/.config", "/home/ann/.local/share"],
  },
};
const bob: UserAccount = {
  name: "bob",
  id: "1001",
  home: "/home/bob",
  folders: { documents: ["/home/bob/Dokumente"], downloads: ["/home/bob/Dokumente"] },
};
const existing = new Set([
  "/srv",
  "/srv/a",
  "/etc",
  "/home/ann",
  "/home/bob",
  "/home/ann/Documents",
  "/home/ann/Downloads",
  "/home/ann/.config",
  "/data/ann [pictures]",
  "/home/bob/Dokumente",
  "/data/x*",
]);
const facts: ScopeFacts = {
  hostName: "machine",
  users: [ann, bob],
  environment: (name) => ({ DATA: "/data/x*", EMPTY: "", HERE: "here" })[name],
  exists: (path) => existing.has(path),
  ownPlaces: ["/var/lib/backstay"],
  guardRails: guardRails.parse({}),
};

type Source = PolicyDocument["source"];

function scope(source: Source, changes: Partial<ScopeFacts> = {}): PolicyScope {
  const document: PolicyDocument = {
    version: 1,
    name: "documents",
    source,
    destination: { repository: "/mnt/backup" },
    encryption: { password: { secret: "repository" } },
    tags: ["daily"],
  };
  return resolveScope(policy.parse(document), { ...facts, ...changes });
}

const paths = (found: PolicyScope): string[] =>
  found.work.paths.map((path) => Buffer.from(path, "base64").toString());

function excludes({ work }: PolicyScope, path: string): boolean {
  const patterns = work.exclude.flatMap(
    (text) => parsePattern({ text, caseInsensitive: false }) ?? [],
  );
  let directory = new PatternSet(patterns).root;
  const names = path
    .slice(1)
    .split("/")
    .map((name) => Buffer.from(name));
  for (const name of names.slice(0, -1)) directory = directory.enter(name, 0, name.length);
  const last = names[names.length - 1];
  return directory.matchesEntry(last, 0, last.length);
}

it("takes over what the engine must know", () => {
  const found = scope({
    paths: ["/srv"],
    excludeLargerThan: "1 GiB",
    excludeCaches: true,
    oneFileSystem: true,
    excludeIfPresent: [".nobackup"],
  });
  expect(found).toEqual({
    missing: [],
    work: {
      kind: "backup",
      hostName: "machine",
      paths: [Buffer.from("/srv").toString("base64")],
      tags: ["daily"],
      exclude: [],
      excludeIgnoringCase: [],
      excludeCaches: true,
      excludeIfPresent: [".nobackup"],
      excludeLargerThanBytes: 2 ** 30,
      oneFileSystem: true,
      ownPlaces: ["/var/lib/backstay"],
      compression: "auto",
    },
  });
});

it("makes one path for each user, and knows each path once", () => {
  const found = scope({
    paths: [`\${user.home}`, "/home/ann/", "//srv//a/", "/srv/a", `\${user.home}/Documents`],
  });
  expect(paths(found)).toEqual(["/home/ann", "/home/bob", "/srv/a", "/home/ann/Documents"]);
  expect(found.missing).toEqual([]);
});

it("names listed paths that do not exist, those of users only if no user has them", () => {
  const found = scope({
    paths: [
      "/srv/gone",
      "/srv",
      `\${user.home}/Documents`,
      `\${user.home}/Music`,
      `\${env.DATA}/gone`,
    ],
  });
  expect(paths(found)).toEqual(["/srv", "/home/ann/Documents"]);
  expect(found.missing).toEqual([
    { setting: "source.paths[0]", path: "/srv/gone" },
    { setting: "source.paths[3]", path: `\${user.home}/Music` },
    { setting: "source.paths[4]", path: "/data/x*/gone" },
  ]);
  expect(scope({ paths: [`\${user.home}`] }, { users: [] })).toMatchObject({
    missing: [{ path: `\${user.home}` }],
    work: { paths: [] },
  });
});

it("replaces variables, which match only themselves in patterns", () => {
  const found = scope({
    paths: [`\${env.DATA}`, "/srv"],
    exclude: [
      `\${env.DATA}/cache`,
      `\${user.home}/.cache`,
      `!\${user.home}/.cache/keep`,
      `*.\${env.HERE}`,
    ],
    excludeIgnoringCase: [`\${user.home}/TMP`],
  });
  expect(paths(found)).toEqual(["/data/x*", "/srv"]);
  expect(excludes(found, "/data/x*/cache")).toBe(true);
  expect(excludes(found, "/data/xy/cache")).toBe(false);
  expect(excludes(found, "/home/ann/.cache")).toBe(true);
  expect(excludes(found, "/home/bob/.cache/keep")).toBe(false);
  expect(excludes(found, "/srv/a.here")).toBe(true);
  expect(found.work.excludeIgnoringCase).toEqual(["/home/ann/TMP", "/home/bob/TMP"]);
});

it.each([
  [{ paths: [`\${env.MISSING}/x`] }, "no variable MISSING"],
  [{ paths: [`\${env.EMPTY}/x`] }, "no variable EMPTY"],
  [{ paths: [`\${env.HERE}/x`] }, "no absolute path"],
  [{ paths: ["/srv"], exclude: [`\${env.MISSING}`] }, "no variable MISSING"],
])("refuses %j", (source, problem) => {
  expect(() => scope(source)).toThrow(
    expect.objectContaining({ code: "POLICY_SCOPE", message: expect.stringContaining(problem) }),
  );
});

it("takes the personal folders of every user wherever they are, those that exist", () => {
  const found = scope({ personalFiles: { folders: ["documents", "pictures", "music"] } });
  expect(paths(found)).toEqual([
    "/home/ann/Documents",
    "/data/ann [pictures]",
    "/home/bob/Dokumente",
  ]);
  expect(found.missing).toEqual([]);
  expect(found.work.exclude).toEqual([]);
  expect(paths(scope({ personalFiles: {} }))).toEqual([
    "/home/ann/Documents",
    "/home/ann/Downloads",
    "/data/ann [pictures]",
    "/home/bob/Dokumente",
  ]);
});

it("takes whole homes without the folders that are not chosen", () => {
  const found = scope({
    personalFiles: { folders: ["documents", "pictures"], otherFiles: true },
    exclude: ["*.iso", "!/home/ann/.config"],
  });
  expect(paths(found)).toEqual([
    "/home/ann",
    "/home/ann/Documents",
    "/data/ann [pictures]",
    "/home/bob",
    "/home/bob/Dokumente",
  ]);
  for (const path of [
    "/home/ann/Downloads",
    "/home/ann/Desktop/x",
    "/home/ann/.config",
    "/home/ann/.local/share/y",
    "/home/ann/a.iso",
  ])
    expect([path, excludes(found, path)]).toEqual([path, true]);
  // Bob keeps documents and downloads in one folder.
  for (const path of [
    "/home/ann/Documents/x",
    "/home/ann/.local",
    "/home/bob/Dokumente",
    "/data/ann [pictures]",
  ])
    expect([path, excludes(found, path)]).toEqual([path, false]);
});

it("hands masks on as patterns", () => {
  expect(
    scope({ paths: ["/srv"], includeMasks: ["*.odt", `\${user.home}/a[1]`] }).work.includeMasks,
  ).toEqual(["*.odt", "/home/ann/a[1]", "/home/bob/a[1]"]);
});

it("holds what users and variables stand for against the guard rails", () => {
  const rails = guardRails.parse({ sources: ["/home", "/srv"] });
  expect(paths(scope({ paths: [`\${user.home}`, "/srv/a"] }, { guardRails: rails }))).toHaveLength(
    3,
  );
  for (const source of [{ paths: [`\${env.DATA}`] }, { personalFiles: {} }, { paths: ["/etc"] }])
    expect(() => scope(source, { guardRails: rails })).toThrow(
      expect.objectContaining({ code: "POLICY_RESTRICTED" }),
    );
});

it("knows which repositories lie on this machine", () => {
  const policies = ["/mnt/a", "local:/mnt/a", "s3:https://host/bucket", "D:\\backup"].map(
    (repository) =>
      policy.parse({
        version: 1,
        name: "x",
        source: { paths: ["/srv"] },
        destination: { repository },
        encryption: { password: { secret: "x" } },
      }),
  );
  expect(localRepositories(policies)).toEqual(["/mnt/a", "D:\\backup"]);
});
