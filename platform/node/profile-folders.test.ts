/** Profiles as they lie on macOS, in a folder of the test's own. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { macProfiles, ProfileFolders } from "./profile-folders.ts";

const root = mkdtempSync(path.join(tmpdir(), "backstay-profiles-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
for (const name of ["bob", "Ann", "Shared", "Public", "Default", ".hidden"])
  mkdirSync(path.join(root, name));
symlinkSync("Ann", path.join(root, "All Users"));
writeFileSync(path.join(root, "desktop.ini"), "");

it("takes every profile of a person", async () => {
  const onMac = await new ProfileFolders({ ...macProfiles, root }).list();
  expect(onMac.map(({ name }) => name)).toEqual(["Ann", "Default", "Public", "bob"]);
  expect(onMac[0]).toMatchObject({
    home: path.join(root, "Ann"),
    folders: { videos: [path.join(root, "Ann", "Movies")] },
  });
});
