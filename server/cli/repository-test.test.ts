import { afterAll, beforeAll, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { CommandScene } from "../../test/server/command-scene.ts";

let commands: CommandScene;
beforeAll(async () => {
  commands = await CommandScene.start();
  await run("tenant create own");
});
afterAll(async () => {
  await commands.stop();
});

const run = async (line: string) => await commands.run(line.split(" "));
/** Nobody listens there. */
const nowhere = "rest:http://127.0.0.1:9/";
const missing = "repository create cloud --tenant own --direct rest:http://127.0.0.1:9/";

it("a repository whose place is bad is made only by who says so, and shows what was found", async () => {
  await expect(run(missing)).rejects.toSatisfy(
    (error) =>
      isBackstayError(error, "RESOURCE_STATE") &&
      String(error.context["bad"]).includes("could not be reached"),
  );
  const made = await run(`${missing} --no-test`);
  expect(made.json).toMatchObject({ name: "cloud" });
  expect((await run("repository show cloud --tenant own")).text).toContain("never tested");
  const tested = await run("repository test cloud --tenant own");
  expect(tested.exitCode).toBe(1);
  expect(tested.text).toMatch(/direct rest:.*\n {2}bad +reach: /);
  const shown = await run("repository show cloud --tenant own");
  expect(shown.text).toContain("found:");
  expect(shown.json).toMatchObject({ test: { places: [{ route: "direct", place: nowhere }] } });
});

it("places are tested before there is a repository, and what can't be looked at is said", async () => {
  const local = await run("repository test --tenant own --url /mnt/x");
  expect([local.exitCode ?? 0, local.text]).toEqual([
    0,
    expect.stringContaining("unknown reach") as string,
  ]);
  const folder = await run("repository create here --tenant own --gateway");
  expect(folder.text).not.toContain("reach");
  expect((await run("repository test here --tenant own")).text).toContain("nothing to test");
  for (const line of ["repository test", `repository test here --tenant own --url ${nowhere}`])
    await expect(run(line)).rejects.toSatisfy((error) => isBackstayError(error, "USAGE"));
});

it("a gateway's storage is a setting of all its routes, and shown", async () => {
  await run(
    "repository create kept --tenant own --gateway --gateway-url https://two.example --storage s3:http://127.0.0.1:9/bucket --no-test",
  );
  const { json, text } = await run("repository show kept --tenant own");
  const storage = { url: "s3:http://127.0.0.1:9/bucket" };
  expect(json).toMatchObject({
    routes: [
      { kind: "gateway", storage },
      { kind: "gateway", url: "https://two.example", storage },
    ],
  });
  expect(text).toContain("gateway in s3:http://127.0.0.1:9/bucket");
});
