/** Guard rails of a machine hold for every policy. */
import { expect, it } from "vitest";
import { guardRails } from "../../protocol/policy/guard-rails.ts";
import { policy } from "../../protocol/policy/policy.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { guardRailObjections, isBelowAny } from "./guard-rail-objections.ts";

const asking = policy.parse({
  version: 1,
  name: "documents",
  source: { paths: ["/srv/documents", `\${user.home}/x`] },
  destination: { repository: "local:/mnt/backup/here" },
  encryption: { password: { secret: "repository" } },
  scripts: { preJob: { command: ["/usr/local/bin/before", "--now"] } },
});
const objections = (rails: object): string[] =>
  guardRailObjections(asking, guardRails.parse(rails)).map(({ path }) => settingText(path));

it("without guard rails everything is allowed", () => {
  expect(objections({})).toEqual([]);
});

it.each([
  [{ destinations: ["/mnt/backup"] }, []],
  [{ destinations: ["local:/mnt/backup/"] }, []],
  [{ destinations: ["/mnt/back", "s3:https://host/bucket"] }, ["destination.repository"]],
  [{ destinations: [] }, ["destination.repository"]],
  [{ sources: ["/"] }, []],
  [{ sources: ["/srv/documents/mine"] }, ["source.paths[0]"]],
  [{ scripts: ["/usr/local/bin/before"] }, []],
  [{ scripts: [] }, ["scripts.preJob.command"]],
])("%j", (rails, refused) => {
  expect(objections(rails)).toEqual(refused);
});

it.each([
  ["/srv", "/srv", true],
  ["/srv/a//b/", "/srv/a/", true],
  ["/srvx", "/srv", false],
  ["/srv\\x", "/srv", false],
  ["/srv/../etc", "/srv", false],
  ["/", "/srv", false],
  ["srv", "/srv", false],
  ["D:\\Data\\ann", "D:\\Data", true],
  ["D:\\DataX", "D:\\Data", false],
  ["s3:https://host/bucket/a", "s3:https://host/bucket", true],
  ["s3:https://host/bucket2", "s3:https://host/bucket", false],
  ["s3:https://host.evil.example/bucket", "s3:https://host", false],
])("%s below %s: %j", (path, place, isBelow) => {
  expect(isBelowAny(path, [place])).toBe(isBelow);
});
