/** The master key's encodings, what is refused as one, and secrets derived from it. */
import { describe, expect, it } from "vitest";
import { craftedKey } from "../../../test/repository/crafted-packs.ts";
import {
  decodeMasterKey,
  deriveSecret,
  encodeMasterKey,
  generateMasterKey,
  masterKeyFromBytes,
  masterKeyToBytes,
} from "./master-key.ts";
import { RandomIv } from "./random-iv.ts";
import { Sealer } from "./sealed-bytes.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** The format's vector: the JSON that a key file of restic sealed. */
const vector =
  '{"mac":{"k":"4AODomShJA2PbP+CMFe7EQ==","r":"lQpICvxUcg8og7MDgJmYAw=="},"encrypt":"ThbdSk08Surd7i7UIRWT7WvLhy0OPEIk6/12hpEb4kc="}';

describe("the master key", () => {
  it("is written as restic writes it", () => {
    const key = decodeMasterKey(text(vector));
    expect(key).toBeDefined();
    if (key !== undefined) expect(Buffer.from(encodeMasterKey(key)).toString()).toBe(vector);
  });

  it("comes back from JSON and from 64 bytes", () => {
    const key = generateMasterKey();
    const bytes = hex(masterKeyToBytes(key));
    expect(bytes).toHaveLength(128);
    const decoded = decodeMasterKey(encodeMasterKey(key));
    expect(decoded === undefined ? "" : hex(masterKeyToBytes(decoded))).toBe(bytes);
    expect(hex(masterKeyToBytes(masterKeyFromBytes(masterKeyToBytes(key))))).toBe(bytes);
    expect(hex(masterKeyToBytes(generateMasterKey()))).not.toBe(bytes);
  });

  it("is refused if a part is missing, of wrong length, or all zero", () => {
    const zeros = {
      k: Buffer.alloc(16).toString("base64"),
      encrypt: Buffer.alloc(32).toString("base64"),
    };
    const good = JSON.parse(vector) as { mac: { k: string; r: string }; encrypt: string };
    for (const json of [
      "",
      "no JSON",
      "null",
      "7",
      "[]",
      "{}",
      '{"mac":null,"encrypt":null}',
      JSON.stringify({ ...good, encrypt: 7 }),
      JSON.stringify({ ...good, encrypt: good.mac.k }),
      JSON.stringify({ ...good, encrypt: zeros.encrypt }),
      JSON.stringify({ ...good, mac: { ...good.mac, k: zeros.k } }),
      JSON.stringify({ ...good, mac: { ...good.mac, r: zeros.k } }),
      JSON.stringify({ ...good, mac: { k: good.mac.k } }),
    ])
      expect(decodeMasterKey(text(json)), json).toBeUndefined();
  });

  it("gives a different, stable secret for each purpose", () => {
    const first = hex(deriveSecret(craftedKey, "chunker", 32));
    expect(hex(deriveSecret(craftedKey, "chunker", 32))).toBe(first);
    expect(hex(deriveSecret(craftedKey, "other", 32))).not.toBe(first);
    expect(hex(deriveSecret(generateMasterKey(), "chunker", 32))).not.toBe(first);
    // Chunk borders hang on it: another value would send everything again.
    expect(first).toMatchInlineSnapshot(
      `"8b40082cf8cb09570856932b404e49ca95bbfc35457f12cc54c4a9f2ff1b35da"`,
    );
  });
});

describe("initialisation vectors", () => {
  it("never repeat, over several batches", () => {
    const iv = new RandomIv();
    const seen = new Set<string>();
    for (let i = 0; i < 5000; i += 1) {
      const at = iv.next();
      seen.add(hex(iv.bytes.subarray(at, at + 16)));
    }
    expect(seen.size).toBe(5000);
  });
});

describe("a sealer", () => {
  it("seals the same text differently each time, and opens only what is whole", () => {
    const sealer = new Sealer(craftedKey);
    const sealed = sealer.seal(text("text"));
    expect(sealed).toHaveLength(4 + 32);
    expect(hex(sealer.seal(text("text")))).not.toBe(hex(sealed));
    expect(sealer.open(sealed)).toEqual(text("text"));
    expect(sealer.open(sealer.seal(new Uint8Array(0)))).toEqual(new Uint8Array(0));
    for (let length = 0; length < sealed.length; length += 1)
      expect(sealer.open(sealed.subarray(0, length))).toBeUndefined();
    expect(new Sealer(generateMasterKey()).open(sealed)).toBeUndefined();
  });
});
