/** What ncdu is given: one JSON value, folders as lists, nothing that it refuses. */
import { describe, expect, it } from "vitest";
import { craftNode, type NodeFacts } from "../../test/repository/crafted-snapshot.ts";
import { NcduListing } from "./ncdu-listing.ts";

const file = (name: string | Uint8Array, facts: Partial<NodeFacts> = {}) =>
  craftNode({ name, type: "file", ...facts });
const folder = (name: string) => craftNode({ name, type: "dir" });

function listed(fill: (listing: NcduListing) => void): unknown[] {
  let text = "";
  const listing = new NcduListing('{"a":1}', (piece) => (text += piece));
  fill(listing);
  listing.end();
  const [major, minor, snapshot, root] = JSON.parse(text) as unknown[];
  expect([major, minor, snapshot]).toEqual([1, 2, { a: 1 }]);
  return root as unknown[];
}

const namesOf = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(namesOf) : (value as { name: string }).name;

describe("an export for ncdu", () => {
  it("of nothing holds the root", () => {
    expect(listed(() => undefined)).toEqual([{ name: "/" }]);
  });

  it("has folders in folders, in their order", () => {
    const root = listed((listing) => {
      listing.add(file("a"));
      listing.add(folder("b"));
      listing.add(folder("c"));
      listing.leave();
      listing.add(file("d"));
      listing.leave();
      listing.add(file("e"));
    });
    expect(namesOf(root)).toEqual(["/", "a", ["b", ["c"], "d"], "e"]);
  });

  it("tells sizes, modes and kinds, and no time before 1970", () => {
    const [, plain, old, odd, link] = listed((listing) => {
      listing.add(
        file("plain", { size: 513, permissions: 0o4755, inode: 2n ** 60n, deviceId: 7n }),
      );
      listing.add(file("old", { mtime: { seconds: -1, nanoseconds: 5 } }));
      listing.add(file(Buffer.from([0x22, 0x0a, 0xff, 0x5c])));
      listing.add(craftNode({ name: "link", type: "symlink", linkTarget: Buffer.from("a") }));
    }) as Record<string, unknown>[];
    expect(plain).toMatchObject({ asize: 513, dsize: 1024, mode: 0o4755, dev: 7, notreg: false });
    expect(old).toMatchObject({ mtime: 0 });
    expect(odd).toMatchObject({ name: '"\n\ufffd\\' });
    expect(link).toMatchObject({ notreg: true });
  });
});
