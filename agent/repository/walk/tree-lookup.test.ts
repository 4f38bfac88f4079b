/** Looks up paths. */
import { expect, it } from "vitest";
import { CraftedRepository } from "../../../test/repository/crafted-snapshot.ts";
import { findDirectory, findNode, pathComponents } from "./tree-lookup.ts";

const never = new AbortController().signal;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

async function sample() {
  const made = new CraftedRepository();
  const inner = made.directory("in ner", [made.file("file", ["x"])]);
  const root = made.tree([made.directory("a", [inner])]);
  return { repository: await made.open(), root, inner };
}

it.each([
  ["", []],
  ["/", []],
  ["/a//b/./c/", ["a", "b", "c"]],
  ["a/.../..b", ["a", "...", "..b"]],
])("%j has the components %j", (path, components) => {
  expect(pathComponents(bytes(path)).map((each) => Buffer.from(each).toString())).toEqual(
    components,
  );
});

it.each(["..", "/a/../b", "/a/.."])("%j is refused", (path) => {
  expect(() => pathComponents(bytes(path))).toThrow(/may not hold/);
});

it("finds files, folders and the root", async () => {
  const { repository, root, inner } = await sample();
  const file = await findNode(repository, root, bytes("/a/in ner/file"), never);
  expect(file).toMatchObject({ type: "file", size: 1 });
  expect(await findNode(repository, root, bytes("/"), never)).toBeUndefined();
  expect(await findDirectory(repository, root, bytes("a/in ner/"), never)).toEqual(inner.subtree);
  expect(await findDirectory(repository, root, bytes(""), never)).toBe(root);
});

it.each(["/b", "/a/b", "/a/in ner/file/x", "/A"])("%s is not there", async (path) => {
  const { repository, root } = await sample();
  await expect(findNode(repository, root, bytes(path), never)).rejects.toMatchObject({
    code: "PATH_NOT_FOUND",
  });
});

it("a file is no directory", async () => {
  const { repository, root } = await sample();
  await expect(
    findDirectory(repository, root, bytes("/a/in ner/file"), never),
  ).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
});
