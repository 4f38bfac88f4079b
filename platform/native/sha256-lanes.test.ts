import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PortableCodec } from "../node/portable-codec.ts";
import type { Codec } from "../ports/codec.ts";
import { BufferAddresses } from "./buffer-address.ts";
import { NativeCodec } from "./native-codec.ts";
import { bindNodeExports, type NodeExports } from "./node-exports.ts";
import { Sha256Lanes } from "./sha256-lanes.ts";

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const exports = bindNodeExports();
/** Counts as much faster whatever the processor: a trial that takes longer the second time. */
const lanes = Sha256Lanes.open(patient(exports), new BufferAddresses());

/** OpenSSL's own digest made slow, so that the routine wins its trial on every machine. */
function patient(real: NodeExports): NodeExports {
  const sha256 = (...args: number[]): number => {
    const endMs = performance.now() + (args[1] > 1000 ? 2 : 0);
    const result = real.sha256(...args);
    while (performance.now() < endMs);
    return result;
  };
  return { ...real, sha256 };
}

type Starter = Pick<Codec, "startSha256">;
const starters: [string, Starter][] = [
  ["portable", new PortableCodec()],
  ["native", new NativeCodec()],
];
if (lanes !== undefined) starters.push(["lanes", { startSha256: () => lanes.start() }]);

const pieces = fc.array(
  fc.record({
    main: fc.uint8Array({ maxLength: 300 }),
    other: fc.option(fc.uint8Array({ maxLength: 300 })),
    skip: fc.nat({ max: 9 }),
  }),
  { maxLength: 12 },
);

describe.each(starters)("running digests, %s", (_, starter) => {
  it("agree with node:crypto for any pieces, alone or beside another message", () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const running = starter.startSha256();
        const out = new Uint8Array(40);
        for (const { main, other, skip } of list) {
          const src = new Uint8Array(skip + main.length + 3).fill(0xaa);
          src.set(main, skip);
          if (other === null) {
            running.update(src, skip, main.length);
            continue;
          }
          const beside = new Uint8Array(other.length + 2 * skip).fill(0x55);
          beside.set(other, skip);
          running.updateBeside(src, skip, main.length, beside, skip, other.length, out, 8);
          expect(hex(out.subarray(8))).toBe(hashOf(other));
        }
        running.finish(out, 1);
        expect(hex(out.subarray(1, 33))).toBe(hashOf(Buffer.concat(list.map(({ main }) => main))));
      }),
    );
  });

  it("do not mix when several are under way", () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_value, i) => i * 7);
    const [first, second] = [starter.startSha256(), starter.startSha256()];
    const out = new Uint8Array(32);
    for (let at = 0; at < 1000; at += 100) {
      first.updateBeside(bytes, at, 100, bytes, 0, at, out, 0);
      second.update(bytes, 900 - at, 100);
    }
    first.finish(out, 0);
    expect(hex(out)).toBe(hashOf(bytes));
    second.finish(out, 0);
    const turned = Buffer.concat(
      Array.from({ length: 10 }, (_value, i) => bytes.subarray(900 - i * 100, 1000 - i * 100)),
    );
    expect(hex(out)).toBe(hashOf(turned));
  });

  it("refuse ranges that leave their arrays", () => {
    const bytes = new Uint8Array(100);
    const running = starter.startSha256();
    const out = new Uint8Array(32);
    expect(() => running.updateBeside(bytes, 50, 51, bytes, 0, 1, out, 0)).toThrow("leaves");
    expect(() => running.updateBeside(bytes, 0, 1, bytes, 99, 2, out, 0)).toThrow("leaves");
    expect(() => running.updateBeside(bytes, 0, 1, bytes, 0, 1, out, 1)).toThrow("leaves");
    expect(() => running.update(bytes, 100, 1)).toThrow("leaves");
  });
});

it("lengths beyond 512 MiB are counted right", (context) => {
  if (lanes === undefined) return context.skip("this build of Node does not show the routine");
  const bytes = new Uint8Array(65 * 1024 * 1024);
  const running = lanes.start();
  const expected = createHash("sha256");
  for (let i = 0; i < 8; i += 1) {
    running.update(bytes, 0, bytes.length);
    expected.update(bytes);
  }
  const out = new Uint8Array(32);
  running.finish(out, 0);
  expect(hex(out)).toBe(expected.digest("hex"));
});

it("the routine is not used where it is absent, wrong or slow", () => {
  const addresses = new BufferAddresses();
  expect(Sha256Lanes.open({ ...exports, sha256Lanes: undefined }, addresses)).toBeUndefined();
  expect(Sha256Lanes.open({ ...exports, sha256Blocks: undefined }, addresses)).toBeUndefined();
  const idle = { ...patient(exports), sha256Lanes: () => 0 };
  expect(Sha256Lanes.open(idle, addresses)).toBeUndefined();
  const real = exports.sha256Lanes;
  if (real === undefined) return;
  const slow = (...args: number[]): number => {
    const endMs = performance.now() + 2;
    while (performance.now() < endMs);
    return real(...args);
  };
  expect(Sha256Lanes.open({ ...exports, sha256Lanes: slow }, addresses)).toBeUndefined();
});
