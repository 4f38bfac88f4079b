import { expect, it } from "vitest";
import { type RegistryCalls, registryRoots } from "./advapi32-registry.ts";
import { WindowsUserAccounts } from "./user-accounts.ts";

const list = String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`;
const shell = String.raw`Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders`;
const ann = "S-1-5-21-1004336348-1177238915-682003330-1001";
const bob = "S-1-12-1-3623811015-3361044348-30300820-1013";

const profiles: Readonly<Record<string, string>> = {
  "S-1-5-18": String.raw`%systemroot%\system32\config\systemprofile`,
  [ann]: String.raw`%SystemDrive%\Profiles\ann`,
  [bob]: String.raw`D:\Profiles\bob.CONTOSO`,
  "S-1-5-21-1-2-3-1005": String.raw`C:\Profiles\gone`,
  "S-1-5-21-1-2-3-1006.bak": String.raw`C:\Profiles\ann`,
};
const annsFolders: Readonly<Record<string, string>> = {
  Desktop: String.raw`%USERPROFILE%\OneDrive - Contoso\Desktop`,
  Personal: String.raw`\\server\homes\ann\Documents`,
  "My Music": String.raw`%UNKNOWN%\Music`,
};

const registry: RegistryCalls = {
  keys: (root, key) =>
    root === registryRoots.machine && key === list ? Object.keys(profiles) : [],
  text: (root, key, name) => {
    if (root === registryRoots.machine && name === "ProfileImagePath")
      return profiles[key.slice(list.length + 1)];
    return root === registryRoots.users && key === `${ann}\\${shell}`
      ? annsFolders[name]
      : undefined;
  },
};

it("lists people by their profiles, with the folders where they have put them", async () => {
  const accounts = new WindowsUserAccounts({
    systemDrive: "C:",
    registry,
    isFolder: async (place) => !place.endsWith("gone"),
  });
  const [first, second, ...others] = await accounts.list();
  expect(others).toEqual([]);
  expect(first).toMatchObject({ name: "ann", id: ann, home: String.raw`C:\Profiles\ann` });
  expect(first.folders).toMatchObject({
    desktop: [String.raw`C:\Profiles\ann\OneDrive - Contoso\Desktop`],
    documents: [String.raw`\\server\homes\ann\Documents`],
    downloads: [String.raw`C:\Profiles\ann\Downloads`],
    music: [String.raw`C:\Profiles\ann\Music`, String.raw`C:\Profiles\ann\OneDrive\Music`],
    "application-data": [String.raw`C:\Profiles\ann\AppData`],
  });
  expect(second).toMatchObject({ name: "bob.CONTOSO", id: bob });
});
