import fc from "fast-check";
import { expect, it } from "vitest";
import { type Policy, policy } from "../../protocol/policy/policy.ts";
import { losesMostPlaces } from "./included-places.ts";

function backingUp(source: Record<string, unknown>): Policy {
  return policy.parse({
    version: 1,
    name: "a",
    source,
    destination: { repository: "backstay:x" },
    encryption: { password: { secret: "p" } },
  });
}

const paths = (...names: string[]): Policy => backingUp({ paths: names });

it.each<[string, Policy[], Policy[], boolean]>([
  ["of nothing nothing is lost", [], [paths("/a")], false],
  ["everything", [paths("/a")], [], true],
  ["just half is not most", [paths("/a", "/b")], [paths("/a")], false],
  ["more than half", [paths("/a", "/b", "/c")], [paths("/c")], true],
  ["places may move between policies", [paths("/a", "/b")], [paths("/b"), paths("/a")], false],
  ["a folder above holds it", [paths("/srv/a", "/srv/b")], [paths("/srv")], false],
  ["a name that begins alike does not", [paths("/srv/ab")], [paths("/srv/a")], true],
  ["a folder below does not", [paths("/srv")], [paths("/srv/a")], true],
  ["folders of Windows", [paths("D:\\data\\ann")], [paths("D:\\data")], false],
  ["the entire computer holds all", [paths("/a")], [backingUp({ mode: "entire-computer" })], false],
  [
    "of an entire computer a folder is little",
    [backingUp({ mode: "entire-computer" })],
    [paths("/a")],
    true,
  ],
  [
    "volumes are no folders",
    [backingUp({ mode: "volumes", volumes: ["/a"] })],
    [paths("/a")],
    true,
  ],
  [
    "personal folders",
    [backingUp({ personalFiles: { folders: ["documents", "desktop", "pictures"] } })],
    [backingUp({ personalFiles: { folders: ["documents"] } })],
    true,
  ],
])("%s", (_, before, after, isLost) => {
  expect(losesMostPlaces(before, after)).toBe(isLost);
});

it("what stays or grows loses nothing", () => {
  const name = fc.stringMatching(/^\/[a-c](?:\/[a-c])?$/);
  fc.assert(
    fc.property(fc.array(name, { minLength: 1 }), fc.array(name), (some, more) => {
      expect(losesMostPlaces([paths(...some)], [paths(...some, ...more)])).toBe(false);
    }),
  );
});
