import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { arbitraryTime } from "../../../test/repository/arbitrary-node.ts";
import { type Snapshot, snapshotTime } from "./snapshot.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot-codec.ts";

const tree = "ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8";
const parent = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const fromText = (text: string) => decodeSnapshot(Buffer.from(text));
const toText = (snapshot: Snapshot) => Buffer.from(encodeSnapshot(snapshot)).toString();
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

const whole =
  `{"time":"2026-11-23T05:35:12.123456789+01:00","parent":"${parent}","tree":"${tree}",` +
  '"paths":["/srv/\\u003ca\\u003e \\u0026 b","/é\\u2028\\b"],"hostname":"host","username":"user",' +
  '"uid":1000,"gid":4294967295,"excludes":["*.tmp"],"tags":["a","b"],' +
  `"original":"${tree}","program_version":"restic 0.18.0","summary":{` +
  '"backup_start":"2026-11-23T05:35:12.1+01:00","backup_end":"2026-11-23T04:35:13Z",' +
  '"files_new":1,"files_changed":2,"files_unmodified":3,"dirs_new":4,"dirs_changed":5,' +
  '"dirs_unmodified":6,"data_blobs":7,"tree_blobs":8,"data_added":9,"data_added_packed":10,' +
  '"total_files_processed":11,"total_bytes_processed":9007199254740991}}';

const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const text = fc.string({ unit: "binary", maxLength: 12 });
const time = arbitraryTime.map(({ seconds, nanoseconds }) => snapshotTime(seconds, nanoseconds));
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const arbitrarySnapshot: fc.Arbitrary<Snapshot> = fc.record(
  {
    time,
    parent: id,
    tree: id,
    paths: fc.array(text),
    hostname: text,
    username: text,
    uid: u32,
    gid: u32,
    excludes: fc.array(text),
    tags: fc.array(text),
    original: id,
    programVersion: text,
  },
  {
    requiredKeys: [
      "time",
      "tree",
      "paths",
      "hostname",
      "username",
      "uid",
      "gid",
      "excludes",
      "tags",
      "programVersion",
    ],
  },
);

describe("encodeSnapshot", () => {
  it("writes fields in restic's order, with Go's escapes, and without a newline", () => {
    expect(toText(fromText(whole))).toBe(whole);
  });

  it("leaves out what is empty", () => {
    const snapshot: Snapshot = {
      time: snapshotTime(0, 0),
      tree: bytes(tree),
      paths: ["/"],
      hostname: "",
      username: "",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "",
    };
    expect(toText(snapshot)).toBe(`{"time":"1970-01-01T00:00:00Z","tree":"${tree}","paths":["/"]}`);
    expect(toText({ ...snapshot, summary: { filesNew: 3 } })).toContain(
      '"summary":{"backup_start":"0001-01-01T00:00:00Z","backup_end":"0001-01-01T00:00:00Z","files_new":3,"files_changed":0,',
    );
  });

  it("is undone by decodeSnapshot", () => {
    fc.assert(
      fc.property(arbitrarySnapshot, (snapshot) => {
        expect(decodeSnapshot(encodeSnapshot(snapshot))).toEqual(snapshot);
      }),
    );
  });
});

describe("decodeSnapshot", () => {
  it("reads every field", () => {
    const snapshot = fromText(whole);
    expect(snapshot).toMatchObject({
      time: {
        seconds: Date.UTC(2026, 10, 23, 4, 35, 12) / 1000,
        nanoseconds: 123456789,
        text: "2026-11-23T05:35:12.123456789+01:00",
      },
      paths: ["/srv/<a> & b", "/é\u2028\b"],
      uid: 1000,
      tags: ["a", "b"],
      summary: { filesNew: 1, totalBytesProcessed: Number.MAX_SAFE_INTEGER },
    });
    expect(snapshot.parent).toEqual(bytes(parent));
  });

  it("needs nothing but the tree", () => {
    const empty = {
      time: { seconds: -62135596800, nanoseconds: 0, text: "0001-01-01T00:00:00Z" },
      tree: bytes(tree),
      paths: [],
      hostname: "",
      username: "",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "",
    };
    expect(fromText(`{"tree":"${tree}"}`)).toEqual(empty);
    expect(
      fromText(
        `{"tree":"${tree}","time":null,"paths":null,"parent":null,"tags":null,"summary":null,"uid":null}`,
      ),
    ).toEqual(empty);
  });

  it("takes a summary of which parts are missing, and ignores what it does not know", () => {
    const text = `{"tree":"${tree}","label":"x","delete":{"a":[1.5]},"summary":{"files_new":2,"command":"x","total_duration":1.25}}`;
    expect(fromText(text).summary).toEqual({ filesNew: 2 });
  });

  it.each([
    ["{}", "tree"],
    ['{"tree":null}', "tree"],
    ['{"tree":"ab"}', "tree"],
    [`{"tree":"${tree}","time":"yesterday"}`, "time"],
    [`{"tree":"${tree}","time":1}`, "time"],
    [`{"tree":"${tree}","paths":"/"}`, "paths"],
    [`{"tree":"${tree}","paths":[null]}`, "paths"],
    [`{"tree":"${tree}","uid":-1}`, "uid"],
    [`{"tree":"${tree}","parent":"x"}`, "parent"],
    [`{"tree":"${tree}","summary":{"files_new":-1}}`, "summary.files_new"],
    [`{"tree":"${tree}","summary":{"backup_start":"x"}}`, "summary.backup_start"],
  ])("refuses %s and names the field", (json, field) => {
    expect(() => fromText(json)).toThrow(
      expect.objectContaining({
        code: "REPOSITORY_DAMAGED",
        context: expect.objectContaining({ file: "snapshot", field }),
      }),
    );
  });

  it("gives a snapshot or says REPOSITORY_DAMAGED, whatever was done to one", () => {
    const change = fc.record({ at: fc.nat(), cut: fc.nat(3), put: fc.string({ maxLength: 3 }) });
    let read = 0;
    let damaged = 0;
    fc.assert(
      fc.property(change, ({ at, cut, put }) => {
        const start = at % whole.length;
        try {
          encodeSnapshot(fromText(whole.slice(0, start) + put + whole.slice(start + cut)));
          read += 1;
        } catch (error) {
          if (!isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
          damaged += 1;
        }
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(read, damaged)).toBeGreaterThan(20);
  });
});
