import { describe, expect, it } from "vitest";
import { JsonFields } from "./json-fields.ts";
import { parseJson } from "./parse-json.ts";

const fieldsOf = (text: string) =>
  new JsonFields(parseJson(Buffer.from(text), { file: "lock", maximumBytes: 1000 }), "lock");
const id = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const damage = (context: object) =>
  expect.objectContaining({ code: "REPOSITORY_DAMAGED", context: { file: "lock", ...context } });

describe("JsonFields", () => {
  it("reads fields of each kind", () => {
    const fields = fieldsOf(
      `{"s":"é","b":true,"n":7,"big":18446744073709551615,"id":"${id}","data":"AQ==","list":["a"],"o":{"n":1}}`,
    );
    expect(fields.string("s")).toBe("é");
    expect(fields.boolean("b")).toBe(true);
    expect(fields.integer("n")).toBe(7);
    expect(fields.u32("n")).toBe(7);
    expect(fields.u64("n")).toBe(7n);
    expect(fields.u64("big")).toBe(2n ** 64n - 1n);
    expect(Buffer.from(fields.id("id")).toString("hex")).toBe(id);
    expect([...fields.base64("data")]).toEqual([1]);
    expect(fields.strings("list")).toEqual(["a"]);
    expect(fields.object("o").integer("n")).toBe(1);
  });

  it("gives fallbacks for what is missing or null, and never for what is wrong", () => {
    const fields = fieldsOf('{"a":null,"wrong":[]}');
    for (const name of ["a", "missing"]) {
      expect(fields.string(name, "x")).toBe("x");
      expect(fields.boolean(name, false)).toBe(false);
      expect(fields.integer(name, 0)).toBe(0);
      expect(fields.u64(name, 5n)).toBe(5n);
      expect(fields.array(name)).toEqual([]);
      expect(fields.optionalId(name)).toBeUndefined();
      expect(fields.optionalObject(name)).toBeUndefined();
      expect(() => fields.string(name)).toThrow(damage({ field: name, problem: "missing" }));
      expect(() => fields.id(name)).toThrow(damage({ field: name, problem: "id expected" }));
    }
    expect(() => fields.string("wrong", "x")).toThrow(/string expected/);
    expect(() => fields.boolean("wrong", true)).toThrow(/true or false/);
    expect(() => fields.u32("wrong", 1)).toThrow(/whole number/);
  });

  it("refuses numbers out of range and texts that are no id or base64", () => {
    const fields = fieldsOf(
      '{"neg":-1,"big":4294967296,"float":1.5,"id":"ab","data":"A","list":["a",1],"o":{"n":"x"}}',
    );
    for (const name of ["neg", "big", "float"]) {
      expect(() => fields.u32(name)).toThrow(/whole number 0 to 4294967295/);
    }
    expect(() => fields.u64("neg")).toThrow(/2\^64-1/);
    expect(() => fields.u64("float")).toThrow(/2\^64-1/);
    expect(() => fields.integer("big", 0, 1, 20)).toThrow(/whole number 1 to 20/);
    expect(() => fields.optionalId("id")).toThrow(/id expected/);
    expect(() => fields.base64("data")).toThrow(/base64 expected/);
    expect(() => fields.strings("list")).toThrow(/list of strings/);
    expect(() => fields.array("o")).toThrow(/list expected/);
    expect(() => fields.object("list")).toThrow(/object expected/);
  });

  it("names the whole path of a field", () => {
    const fields = fieldsOf('{"o":{"p":{"n":"x"}}}');
    expect(() => fields.object("o").object("p").integer("n")).toThrow(
      damage({ field: "o.p.n", problem: "whole number 0 to 9007199254740991 expected" }),
    );
    expect(() => fieldsOf("[]")).toThrow(damage({ problem: "object expected" }));
  });
});
