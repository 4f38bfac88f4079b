import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { arbitraryNode } from "../../../test/repository/arbitrary-node.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { Node } from "./node.ts";
import { decodeTree, TreeReader } from "./tree-decoder.ts";
import { encodeTree } from "./tree-encoder.ts";

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const decode = (text: string) => [...decodeTree(bytesOf(text))];
const time = '"2024-05-06T07:08:09Z"';
const nodeText = (fields: string) => `{"nodes":[{"name":"n","type":"file"${fields}}]}\n`;
const decodeOne = (fields: string): Node => {
  const nodes = decode(nodeText(fields));
  expect(nodes).toHaveLength(1);
  return nodes[0];
};
const textOf = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString();
/** The problem that reading the text ends with. */
const problemOf = (text: string): unknown => {
  try {
    decode(text);
  } catch (error) {
    if (isBackstayError(error, "REPOSITORY_DAMAGED")) return error.context["problem"];
    throw error;
  }
  return undefined;
};
const id = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

describe("decodeTree", () => {
  it("reads back what was written, and writes the same bytes again", () => {
    fc.assert(
      fc.property(fc.array(arbitraryNode, { maxLength: 4 }), (nodes) => {
        const tree = encodeTree(new ByteWriter(), nodes);
        const read = [...decodeTree(tree)];
        expect(read).toEqual(nodes);
        expect(encodeTree(new ByteWriter(), read)).toEqual(tree);
      }),
      { numRuns: 300 },
    );
  });

  it("gives nodes before it has read the whole tree", () => {
    const reader = new TreeReader(bytesOf('{"nodes":[{"name":"a","type":"fifo"},damage'));
    expect(textOf(reader.next()?.name)).toBe("a");
    expect(() => reader.next()).toThrow(/damaged/);
  });

  it("answers nothing after the end, however often it is asked", () => {
    const reader = new TreeReader(bytesOf('{"nodes":[]}\n'));
    expect(reader.next()).toBeUndefined();
    expect(reader.next()).toBeUndefined();
  });

  it("gives nodes or says REPOSITORY_DAMAGED, whatever was done to a tree", () => {
    const alphabet = fc.constantFrom(...Buffer.from('{}[]",:\\nu0e-.9 \n\xff', "latin1"));
    const change = fc.record({
      at: fc.nat(),
      cut: fc.nat(3),
      put: fc.array(fc.oneof(alphabet, fc.nat(255)), { maxLength: 3 }),
    });
    const mutated = fc
      .tuple(
        fc.array(arbitraryNode, { minLength: 1, maxLength: 2 }),
        fc.array(change, { minLength: 1, maxLength: 3 }),
      )
      .map(([nodes, changes]) => {
        let bytes = [...encodeTree(new ByteWriter(), nodes)];
        for (const { at, cut, put } of changes) {
          bytes = bytes.toSpliced(at % bytes.length, cut, ...put);
        }
        return Uint8Array.from(bytes);
      });
    let read = 0;
    let damaged = 0;
    fc.assert(
      fc.property(mutated, (bytes) => {
        try {
          for (const node of decodeTree(bytes)) encodeTree(new ByteWriter(), [node]);
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

describe("what decodeTree accepts", () => {
  it("takes white space, any order of fields, and fields that it does not know", () => {
    const text = ` { "time" : [1, {"x": null}], "nodes" : [ { "type" : "file" ,
      "later": {"a":[true,false,-1.5e+3,"\\u00e9"]}, "name"\t:"n" } ] , "more":"}" } `;
    expect(decode(text).map((node) => textOf(node.name))).toEqual(["n"]);
  });

  it("leaves what is missing or null at nothing", () => {
    const nulls = ["mode", "mtime", "uid", "user", "inode", "size", "links", "linktarget"]
      .concat(["linktarget_raw", "extended_attributes", "generic_attributes", "content", "subtree"])
      .map((field) => `,"${field}":null`);
    for (const node of [decodeOne(""), decodeOne(nulls.join(""))]) {
      expect(node).toEqual({
        name: bytesOf("n"),
        type: "file",
        mode: 0,
        mtime: { seconds: -62135596800, nanoseconds: 0 },
        atime: { seconds: -62135596800, nanoseconds: 0 },
        ctime: { seconds: -62135596800, nanoseconds: 0 },
        uid: 0,
        gid: 0,
        user: "",
        group: "",
        inode: 0n,
        deviceId: 0n,
        size: 0,
        links: 0n,
        linkTarget: new Uint8Array(0),
        attributes: [],
        device: 0n,
        content: null,
        subtree: null,
      });
    }
  });

  it("tells an empty content from none", () => {
    expect(decodeOne(',"content":[]').content).toEqual(new Uint8Array(0));
    expect(decodeOne(',"content":null').content).toBeNull();
  });

  it("takes a tree whose nodes are null as an empty one", () => {
    expect(decode('{"nodes":null}')).toEqual([]);
  });

  it("reads the last of a repeated field", () => {
    expect(decodeOne(`,"uid":1,"uid":2,"content":["${id}"],"content":null`)).toMatchObject({
      uid: 2,
      content: null,
    });
  });

  it("keeps all bits of 64-bit numbers", () => {
    const node = decodeOne(
      ',"inode":18446744073709551615,"device_id":9007199254740993,"links":9007199254740992,"device":0',
    );
    expect(node.inode).toBe(18446744073709551615n);
    expect(node.deviceId).toBe(9007199254740993n);
    expect(node.links).toBe(9007199254740992n);
    expect(decodeOne(',"size":9007199254740991').size).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("prefers the raw link target", () => {
    const both = ',"linktarget":"\\ufffd","linktarget_raw":"//4="';
    expect(decodeOne(both).linkTarget).toEqual(Uint8Array.of(0xff, 0xfe));
    expect(textOf(decodeOne(',"linktarget":"a\\u003cb\\\\"').linkTarget)).toBe("a<b\\");
  });

  it("reads attributes with empty and null values", () => {
    const list = '[{"name":"user.a","value":null},{"name":"user.b","value":""},{"value":"\\/w=="}]';
    const { attributes } = decodeOne(`,"extended_attributes":${list}`);
    expect(attributes.map(({ name, value }) => [textOf(name), [...value]])).toEqual([
      ["user.a", []],
      ["user.b", []],
      ["", [0xff]],
    ]);
  });

  it("keeps generic attributes as compact JSON", () => {
    const node = decodeOne(',"generic_attributes":{"b": { "x" : [1, "a b<"] },"a":7}');
    expect([...(node.genericAttributes ?? [])]).toEqual([
      ["b", '{"x":[1,"a b\\u003c"]}'],
      ["a", "7"],
    ]);
    const text = Buffer.from(encodeTree(new ByteWriter(), [node])).toString();
    expect(text).toContain('"generic_attributes":{"a":7,"b":{"x":[1,"a b\\u003c"]}}');
  });

  it("unquotes names after unescaping them", () => {
    const names = (text: string) =>
      decode(`{"nodes":[{"name":"${text}","type":"fifo"}]}`).map((node) => [...node.name]);
    expect(names("\\\\xff\\\\u00a0")).toEqual([[0xff, 0xc2, 0xa0]]);
    expect(names("\\u003c\\\\\\\\")).toEqual([[0x3c, 0x5c]]);
    expect(names("\\ud83d\\ude00")).toEqual([[...Buffer.from("😀")]]);
    expect(names("a\\\\b")).toEqual([[0x61, 0x08]]);
  });

  it("tells of nodes of unknown type and goes on, if it is asked to", () => {
    const text = bytesOf(
      '{"nodes":[{"name":"a","type":"irregular"},{"name":"b","type":"fifo"},{"name":"c"}]}',
    );
    const told: string[] = [];
    const onUnknownType = (name: Uint8Array, type: string) => told.push(`${textOf(name)}:${type}`);
    expect([...decodeTree(text, { onUnknownType })].map((node) => textOf(node.name))).toEqual([
      "b",
    ]);
    expect(told).toEqual(["a:irregular", "c:"]);
    expect(() => [...decodeTree(text)]).toThrow(/irregular/);
  });
});

describe("long lists of ids", () => {
  /** As many ids, all different. */
  const idsOf = (count: number): Uint8Array => {
    const ids = new Uint8Array(count * 32);
    const view = new DataView(ids.buffer);
    for (let i = 0; i < count; i += 1) view.setUint32(i * 32 + (i % 28), i + 1);
    return ids;
  };
  const textWith = (separator: string, ...lists: readonly Uint8Array[]): Uint8Array => {
    const nodes = lists.map((ids, number) => {
      const texts = Array.from({ length: ids.length / 32 }, (_, i) =>
        Buffer.from(ids.subarray(i * 32, i * 32 + 32)).toString("hex"),
      );
      const content = texts.map((text) => `"${text}"`).join(separator);
      return `{"name":"${number}","type":"file","content":[${content}],"size":${number}}`;
    });
    return bytesOf(`{"nodes":[${nodes.join(",")}]}`);
  };

  it.each(["own", "in-place"] as const)("are read whole: %s", (content) => {
    for (const separator of [",", " ,\n "]) {
      const lists = [1, 32_768, 32_769, 0, 50_000, 3].map(idsOf);
      const bytes = textWith(separator, ...lists);
      const nodes = [...decodeTree(bytes, { content })];
      expect(nodes.map(({ size }) => size)).toEqual(lists.map((_, number) => number));
      for (const [number, node] of nodes.entries())
        expect(Buffer.compare(node.content ?? bytes, lists[number])).toBe(0);
    }
  });

  it("take no memory where they may be written over their text, and leave it alone elsewhere", () => {
    const bytes = textWith(",", idsOf(50_000));
    const before = Buffer.from(bytes);
    expect(decodeTree(bytes).next().value?.content?.buffer).not.toBe(bytes.buffer);
    expect(Buffer.compare(bytes, before)).toBe(0);
    const inPlace = decodeTree(bytes, { content: "in-place" }).next().value?.content;
    expect(inPlace?.buffer).toBe(bytes.buffer);
    expect(Buffer.compare(inPlace ?? bytes, idsOf(50_000))).toBe(0);
  });

  it("are passed over where nobody wants them", () => {
    const bytes = textWith(",", idsOf(3), idsOf(50_000));
    const before = Buffer.from(bytes);
    const nodes = [...decodeTree(bytes, { content: "skipped" })];
    expect(nodes.map(({ size, content }) => [size, content])).toEqual([
      [0, null],
      [1, null],
    ]);
    expect(Buffer.compare(bytes, before)).toBe(0);
  });

  it.each(["own", "in-place"] as const)("that are cut or hold no id are damage: %s", (content) => {
    const bytes = textWith(",", idsOf(40_000));
    const end = bytes.indexOf("]".charCodeAt(0));
    for (const length of [end - 100 * 67, end - 30, end]) {
      const cut = bytes.slice(0, length);
      expect(() => [...decodeTree(cut, { content })]).toThrow(/damaged/);
    }
    for (const at of [end - 40, end - 200 * 67]) {
      const changed = bytes.slice();
      changed[at] = "]".charCodeAt(0);
      expect(() => [...decodeTree(changed, { content })]).toThrow(/damaged/);
    }
  });
});

describe("what decodeTree refuses", () => {
  const damages: readonly [text: string, what: string][] = [
    ["", "nothing"],
    ["[]", "a list"],
    ["{}", "an object without nodes"],
    ['{"nodes":{}}', "nodes that are an object"],
    ['{"nodes":[]', "a cut tree"],
    ['{"nodes":[]}}', "text after the end"],
    ['{"nodes":[],}', "a comma before the end"],
    ['{"nodes":[],"nodes":[]}', "nodes twice"],
    ['{"nodes":[null]}', "a node that is null"],
    ['{"nodes":[{"type":"fifo",}]}', "a comma after the last field"],
    ['{"nodes":[{"type":"fifo"},]}', "a comma after the last node"],
    ['{"nodes":[{"type":"fifo"}{"type":"fifo"}]}', "nodes without a comma"],
    ['{"nodes":[{"name":"a","type":"fifo"', "a cut node"],
    ["\ufeff", "a byte order mark"],
    [nodeText(',"mode":1.0'), "a fraction"],
    [nodeText(',"mode":1e3'), "an exponent"],
    [nodeText(',"mode":"1"'), "a number in quotes"],
    [nodeText(',"mode":4294967296'), "a mode above 32 bits"],
    [nodeText(',"uid":-1'), "a negative number"],
    [nodeText(',"uid":4294967296'), "a uid above 32 bits"],
    [nodeText(',"uid":01'), "a number that begins with 0"],
    [nodeText(',"uid":'), "a missing number"],
    [nodeText(',"size":9007199254740992'), "a size above what is exact"],
    [nodeText(',"inode":18446744073709551616'), "an inode above 64 bits"],
    [nodeText(`,"inode":${"9".repeat(1000)}`), "a number of a thousand digits"],
    [nodeText(`,"content":["${id.slice(1)}"]`), "a short id"],
    [nodeText(`,"content":["${id}0"]`), "a long id"],
    [nodeText(`,"content":["${id.toUpperCase()}"]`), "an id in capitals"],
    [nodeText(',"content":[null]'), "an id that is null"],
    [nodeText(',"subtree":""'), "an empty id"],
    [nodeText(',"content":{}'), "content that is no list"],
    [nodeText(',"mtime":"2024-05-06T07:08:09"'), "a time without zone"],
    [nodeText(',"mtime":"2024-05-06 07:08:09Z"'), "a time with a blank"],
    [nodeText(',"mtime":1714979289'), "a time that is a number"],
    [nodeText(',"linktarget_raw":"//4"'), "base64 without padding"],
    [nodeText(',"linktarget_raw":"//4?"'), "base64 with other letters"],
    [nodeText(',"extended_attributes":{}'), "attributes that are no list"],
    [nodeText(',"extended_attributes":[{"name":1}]'), "an attribute's name that is a number"],
    [nodeText(',"generic_attributes":[]'), "generic attributes that are a list"],
    [nodeText(',"user":"a\nb"'), "a newline in a string"],
    [nodeText(',"user":"a\\qb"'), "an unknown escape"],
    [nodeText(',"user":"\\u12"'), "a cut escape"],
    [nodeText(',"name":"a\\"b"'), "a name with a bare quote"],
    [nodeText(',"name":"a\\nb"'), "a name with a bare newline"],
    [nodeText(',"name":"\\\\q"'), "a name with an unknown escape"],
    [nodeText(',"x":tru'), "a cut word"],
    [nodeText(',"x":{"a" 1}'), "an unknown field with broken syntax"],
    [nodeText(',"x":[1 2]'), "an unknown list with broken syntax"],
    [nodeText(',"x":[1}'), "an unknown list closed as an object"],
    [nodeText(',"x":.5'), "an unknown number with broken syntax"],
    [nodeText(',"x":"\\x"'), "an unknown string with broken escapes"],
    [`{"nodes":[{"name":"a","type":"file","mtime":${time},"mode":}]}`, "a value that is missing"],
  ];

  it.each(damages.map(([text, what]) => ({ text, what })))("$what", ({ text }) => {
    expect(problemOf(text)).toEqual(expect.any(String));
  });

  it("says which tree is damaged, where and how", () => {
    const text = nodeText(',"uid":-1');
    const read = () => [...decodeTree(bytesOf(text), { treeId: "ab" })];
    const problem = "whole number without sign expected";
    expect(read).toThrow(
      expect.objectContaining({
        context: { file: "tree", id: "ab", problem, offset: text.indexOf("-") },
      }),
    );
  });

  it("texts and lists that only a hostile hand writes", () => {
    const long = "\xc3\xa9".repeat(600_000);
    expect(problemOf(nodeText(`,"user":"${long}"`))).toMatch(/1 MiB/);
    expect(problemOf(nodeText(`,"name":"${long}"`))).toMatch(/1 MiB/);
    expect(problemOf(nodeText(`,"x":"\\n${long}"`))).toBeUndefined();
    expect(problemOf(nodeText(`,"x":"${long}\\u00"`))).toMatch(/escape/);
    expect(problemOf(nodeText(`,"generic_attributes":{"a":"${long}"}`))).toMatch(/1 MiB/);
    const many = "{},".repeat(100_000);
    expect(problemOf(nodeText(`,"extended_attributes":[${many}{}]`))).toMatch(/too many/);
  });

  it("nesting that is deeper than any tree, without overflowing", () => {
    const nested = (depth: number) => nodeText(`,"x":${"[".repeat(depth)}${"]".repeat(depth)}`);
    expect(problemOf(nested(61))).toBeUndefined();
    expect(problemOf(nested(62))).toMatch(/deep/);
    expect(problemOf(nested(1_000_000))).toMatch(/deep/);
    expect(problemOf(`${"[".repeat(1_000_000)}`)).toEqual(expect.any(String));
    const generic = `,"generic_attributes":${'{"a":'.repeat(1_000_000)}`;
    expect(problemOf(nodeText(generic))).toMatch(/deep/);
  });
});
