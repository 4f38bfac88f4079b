import { describe, expect, it } from "vitest";
import { counterAt, SessionMemory } from "./session-memory.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe("the memory of a session", () => {
  it("adds up the counters of all threads, which touch each other nowhere", () => {
    const memory = new SessionMemory(3);
    const names = Object.keys(counterAt) as (keyof typeof counterAt)[];
    for (let thread = 0; thread < 3; thread += 1) {
      const other = new SessionMemory(3, memory.shared);
      for (const [i, name] of names.entries())
        other.counters(thread)[counterAt[name]] += 10 ** thread * (i + 1);
      other.setCurrent(thread, bytes("x".repeat(3000)), bytes("y"));
    }
    for (const [i, name] of names.entries()) expect(memory.total(name)).toBe(111 * (i + 1));
    expect(() => memory.assertRunning()).not.toThrow();
  });

  it("shows what each thread reads, cut to its room", () => {
    const memory = new SessionMemory(2);
    expect(memory.currentFiles()).toEqual([]);
    memory.setCurrent(1, bytes("/a"), bytes("b"));
    expect(memory.currentFiles()).toEqual(["/a/b"]);
    memory.setCurrent(0, bytes(`/${"d".repeat(2000)}`), bytes("b"));
    memory.setCurrent(1, bytes("/a"), bytes("n".repeat(2000)));
    const [first, second] = memory.currentFiles();
    expect(first).toMatch(/^\/d{1000,1021}\/?$/);
    expect(second).toMatch(/^\/a\/n{1000,1021}$/);
    memory.setCurrent(0, bytes(""), bytes(""));
    expect(memory.currentFiles()[0]).toBe("/");
  });

  it("stops every thread that asks", () => {
    const memory = new SessionMemory(2);
    const other = new SessionMemory(2, memory.shared);
    memory.stop();
    expect(() => other.assertRunning()).toThrow(expect.objectContaining({ name: "AbortError" }));
  });
});
