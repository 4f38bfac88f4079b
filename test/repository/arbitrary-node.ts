/** Nodes of every kind for properties of the tree codecs. */
import fc from "fast-check";
import {
  type Node,
  type NodeAttribute,
  type NodeTime,
  nodeTypes,
} from "../../agent/repository/tree/node.ts";

const maximumU64 = 2n ** 64n - 1n;
const maximumU32 = 0xffffffff;
const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const ids = fc.array(id, { maxLength: 3 }).map((list) => new Uint8Array(Buffer.concat(list)));
const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 200n }), fc.bigInt({ min: 0n, max: maximumU64 }));
const u32 = fc.integer({ min: 0, max: maximumU32 });
/** Text as Go holds it after reading: valid UTF-8. */
const text = fc.string({ unit: "binary", maxLength: 12 });
const textBytes = text.map((value) => new TextEncoder().encode(value));

/** Bytes that are a name, UTF-8 or not. */
export const arbitraryName = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.string({ unit: "binary", minLength: 1 }).map((value) => new TextEncoder().encode(value)),
  fc.stringMatching(/^[ -~]{1,40}$/).map((value) => new TextEncoder().encode(value)),
);

/** Instants of the years 0 … 9999. */
export const arbitraryTime: fc.Arbitrary<NodeTime> = fc.record({
  seconds: fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }),
  nanoseconds: fc.nat(999_999_999),
});

export const arbitraryAttribute: fc.Arbitrary<NodeAttribute> = fc.record({
  name: textBytes,
  value: fc.uint8Array({ maxLength: 20 }),
});

const genericValue = fc.constantFrom('{"LowDateTime":1,"HighDateTime":2}', "32", '"AQA="');

/** Nodes that come back equal when they are written and read. */
export const arbitraryNode: fc.Arbitrary<Node> = fc
  .record({
    name: arbitraryName,
    type: fc.constantFrom(...nodeTypes),
    mode: u32,
    mtime: arbitraryTime,
    atime: arbitraryTime,
    ctime: arbitraryTime,
    uid: u32,
    gid: u32,
    user: text,
    group: text,
    inode: u64,
    deviceId: u64,
    size: fc.maxSafeNat(),
    links: u64,
    linkTarget: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 30 })),
    attributes: fc.array(arbitraryAttribute, { maxLength: 3 }),
    generic: fc.option(fc.dictionary(text, genericValue, { minKeys: 1, maxKeys: 3 })),
    device: u64,
    content: fc.option(ids),
    subtree: fc.option(id),
  })
  .map(({ generic, ...node }) =>
    generic === null ? node : { ...node, genericAttributes: new Map(Object.entries(generic)) },
  );
