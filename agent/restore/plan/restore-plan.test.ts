/** The tables of a plan give back what was put in, in this thread and in an attached one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryNode } from "../../../test/repository/arbitrary-node.ts";
import { craftNode } from "../../../test/repository/crafted-snapshot.ts";
import { permissionBits } from "../../repository/tree/file-mode.ts";
import { HardLinks } from "./hard-links.ts";
import { RestorePlan, rowFlag, rowState } from "./restore-plan.ts";
import { SiblingNames } from "./sibling-names.ts";
import { TreeQueue } from "./tree-queue.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe("RestorePlan", () => {
  it("keeps every fact of a node that a restore needs", () => {
    const nodes = fc.array(
      arbitraryNode.filter(({ name }) => name.length <= 255),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(nodes, (given) => {
        const plan = RestorePlan.create();
        const rows = given.map((node) => plan.addRow(0, node, rowFlag.selected));
        const attached = RestorePlan.attach(plan.shared);
        for (const [i, node] of given.entries()) {
          const row = rows[i];
          expect(Buffer.compare(attached.nameOf(row), node.name)).toBe(0);
          expect(attached.permissionsOf(row)).toBe(permissionBits(node.mode));
          expect(attached.uidOf(row)).toBe(node.uid);
          expect(attached.gidOf(row)).toBe(node.gid);
          expect(attached.secondsOf(row)).toBe(node.mtime.seconds);
          expect(attached.nanosecondsOf(row)).toBe(node.mtime.nanoseconds);
          expect(attached.sizeOf(row)).toBe(node.size);
          const extra = attached.extraOf(row);
          expect(extra.accessSeconds ?? node.mtime.seconds).toBe(node.atime.seconds);
          if (extra.accessSeconds !== undefined)
            expect(extra.accessNanoseconds).toBe(node.atime.nanoseconds);
          expect(Buffer.compare(extra.linkTarget, node.linkTarget)).toBe(0);
          expect(extra.device).toBe(node.device);
          expect(extra.attributes).toEqual(node.attributes);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("keeps flags, states, links and ranges apart", () => {
    const plan = RestorePlan.create();
    const row = plan.addRow(0, craftNode({ name: "x", type: "dir", permissions: 0o7777 }), 0);
    plan.setFlag(row, rowFlag.needed);
    plan.setState(row, rowState.damaged);
    plan.setLink(row, 0);
    plan.setRange(row, 7, 0xfffffff0);
    expect(plan.hasFlag(row, rowFlag.needed)).toBe(true);
    expect(plan.hasFlag(row, rowFlag.selected)).toBe(false);
    expect(plan.stateOf(row)).toBe(rowState.damaged);
    expect(plan.permissionsOf(row)).toBe(0o7777);
    expect(plan.linkOf(row)).toBe(0);
    plan.setLink(row, -1);
    expect(plan.linkOf(row)).toBe(-1);
    expect([plan.firstOf(row), plan.countOf(row)]).toEqual([7, 0xfffffff0]);
  });

  it("holds records larger than a chunk, and many rows", () => {
    const plan = RestorePlan.create();
    const value = new Uint8Array(3_000_000).fill(5);
    const attributes = [{ name: bytes("user.big"), value }];
    const big = plan.addRow(0, craftNode({ name: "big", type: "file", attributes }), 0);
    let parent = 0;
    for (let i = 0; i < 70_000; i += 1)
      parent = plan.addRow(
        i % 100 === 0 ? 0 : parent,
        craftNode({ name: `d${i}`, type: "dir" }),
        0,
      );
    expect(Buffer.from(plan.extraOf(big).attributes[0].value).equals(Buffer.from(value))).toBe(
      true,
    );
    expect(Buffer.from(plan.pathOf(parent)).toString().split("/")).toHaveLength(100);
    expect(plan.pathOf(0)).toHaveLength(0);
    expect(plan.sizeBytes).toBeLessThan(70_000 * 120 + 12_000_000);
  });
});

describe("HardLinks", () => {
  it("tells files apart by all bits of inode and device", () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const small = fc.bigInt({ min: 0n, max: 3n }).map((n) => n * (2n ** 32n + 1n));
    const key = fc.tuple(fc.oneof(u64, small), fc.oneof(u64, small));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 3000 }), (keys) => {
        const links = new HardLinks();
        const model = new Map<string, number>();
        for (const [row, [inode, device]] of keys.entries()) {
          const name = `${inode} ${device}`;
          expect(links.firstOf(inode, device, row)).toBe(model.get(name) ?? -1);
          if (!model.has(name)) model.set(name, row);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("SiblingNames", () => {
  it("accepts each name once, in any order", () => {
    const names = fc.array(fc.constantFrom("a", "b", "c", "A", "é", "e\u0301", "z"), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(names, fc.boolean(), (given, folds) => {
        const accepted: Uint8Array[] = [];
        const siblings = new SiblingNames(folds, () => accepted);
        const seen = new Set<string>();
        for (const name of given) {
          const key = folds ? name.normalize("NFC").toLowerCase() : name;
          expect(siblings.accept(bytes(name))).toBe(!seen.has(key));
          if (!seen.has(key)) accepted.push(bytes(name));
          seen.add(key);
        }
      }),
    );
  });
});

describe("TreeQueue", () => {
  it("gives back what went in first, over many blocks", () => {
    const queue = new TreeQueue();
    const id = (n: number): Uint8Array => new Uint8Array(new Uint32Array(8).fill(n).buffer);
    let next = 0;
    for (let i = 0; i < 20_000; i += 1) {
      queue.push(i, id(i), undefined);
      if (i % 3 === 0) continue;
      expect(queue.at(0)).toMatchObject({ row: next, id: id(next) });
      if (queue.length > 5) expect(queue.at(5).row).toBe(next + 5);
      queue.shift();
      next += 1;
    }
    expect(queue.length).toBe(20_000 - next);
  });
});
