import fc from "fast-check";
import { expect, it } from "vitest";
import { fileTypes, handlePath } from "../../storage/object-store.ts";
import { gatewayAddress, isPlainId } from "./gateway-path.ts";

const repositoryId = "01900000-0000-7000-8000-00000000000a";
const agentId = "01900000-0000-7000-8000-00000000000b";
const base = `/gateway/${repositoryId}/${agentId}`;
const name = "0123456789abcdef".repeat(4);

const good: readonly [target: string, means: object][] = [
  [`${base}/`, { kind: "repository", isCreate: false }],
  [`${base}/?create=true`, { kind: "repository", isCreate: true }],
  [`${base}/config`, { kind: "file", handle: { type: "config", name: "" } }],
  [`${base}/data/`, { kind: "list", type: "data" }],
  [`${base}/backstay/`, { kind: "list", type: "backstay" }],
  [`${base}/locks/${name}`, { kind: "file", handle: { type: "locks", name } }],
  [`${base}/backstay/a.b-1`, { kind: "file", handle: { type: "backstay", name: "a.b-1" } }],
];

const bad: readonly string[] = [
  "",
  "/",
  "/gateway",
  "/gateway/",
  base,
  `${base}//`,
  `${base}/?create=false`,
  `${base}/?create=true&x=1`,
  `${base}/?`,
  `${base}/config/`,
  `${base}/config?create=true`,
  `${base}/data`,
  `${base}/data//${name}`,
  `${base}//data/${name}`,
  `${base}/data/${name}/`,
  `${base}/data/${name}?`,
  `${base}/data/01/${name}`,
  `${base}/data/${name}%00`,
  `${base}/data/${name.toUpperCase()}`,
  `${base}/data/${name.slice(1)}`,
  `${base}/data/..`,
  `${base}/data/../config`,
  `${base}/data/%2e%2e%2fconfig`,
  `${base}/data%2f${name}`,
  `${base}/../${agentId}/config`,
  `${base}/./config`,
  `${base}/DATA/${name}`,
  `${base}/tmp/${name}`,
  `${base}/constructor/${name}`,
  `${base}/__proto__/`,
  `${base}/backstay/.`,
  `${base}/backstay/..`,
  `${base}/backstay/.hidden`,
  `${base}/backstay/a..`,
  `${base}/backstay/a\\b`,
  `${base}/backstay/é`,
  `${base}/backstay/\u{ff0e}\u{ff0e}`,
  `${base}/locks/${name}\n`,
  `${base}/locks/${name}\0`,
  `${base}#/config`,
  `http://host${base}/config`,
  `/gateway/${repositoryId}/../${agentId}/config`,
  `/gateway/${repositoryId}/${agentId.toUpperCase()}/config`,
  `/gateway/${repositoryId}/${agentId}x/config`,
  `/gateway//${agentId}/config`,
  `/Gateway/${repositoryId}/${agentId}/config`,
  `/gateway/${repositoryId}/${agentId}\\config`,
];

it("knows every address of a repository, and nothing else", () => {
  for (const [target, means] of good)
    expect([target, gatewayAddress(target)]).toEqual([
      target,
      { repositoryId, agentId, target: means },
    ]);
  for (const target of bad) expect([target, gatewayAddress(target)]).toEqual([target, undefined]);
});

it("whatever is asked, a file is named that lies right below the machine's folder", () => {
  const pieces = fc.constantFrom(
    ...["/", "//", "..", ".", "%2e", "%2f", "%00", "\\", "\0", "é", "?", "?create=true", "#"],
    ...["gateway", "GATEWAY", repositoryId, agentId, name, name.toUpperCase(), "a", "-", "config"],
    ...fileTypes,
  );
  const anyTarget = fc.oneof(
    fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join("")),
    fc.array(pieces, { maxLength: 8 }).map((parts) => `${base}/${parts.join("")}`),
    fc
      .tuple(fc.constantFrom(...good), fc.nat(200), fc.string({ unit: "binary", maxLength: 3 }))
      .map(([[target], at, more]) => target.slice(0, at) + more + target.slice(at)),
  );
  let named = 0;
  fc.assert(
    fc.property(anyTarget, (text) => {
      const address = gatewayAddress(text);
      if (address === undefined) return;
      named += 1;
      expect([isPlainId(address.repositoryId), isPlainId(address.agentId)]).toEqual([true, true]);
      expect(text.startsWith(`/gateway/${address.repositoryId}/${address.agentId}/`)).toBe(true);
      if (address.target.kind !== "file") return;
      const below = handlePath(address.target.handle);
      expect(below).toMatch(
        /^(?:config|[a-z]+\/[a-z0-9-][a-z0-9.-]*|data\/[0-9a-f]{2}\/[0-9a-f]{64})$/,
      );
      expect(below.split("/")).not.toContain("..");
    }),
    { numRuns: 5000, seed: 4 },
  );
  expect(named).toBeGreaterThan(50);
});

it("an id of a path is a plain UUID", () => {
  for (const id of ["..", "", "a/b", ".incoming", `${agentId}\n`, agentId.toUpperCase()])
    expect([id, isPlainId(id)]).toEqual([id, false]);
  expect(isPlainId(agentId)).toBe(true);
});
