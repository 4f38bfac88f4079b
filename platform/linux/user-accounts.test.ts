/** Who uses a machine, and where they keep their files; with folders and account files of the test's own. */
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openUserAccounts } from "../open-user-accounts.ts";
import { LinuxUserAccounts } from "./user-accounts.ts";
import { parseUserDirectories, userDirectories } from "./user-directories.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "backstay-users-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (...names: readonly string[]): string => path.join(root, ...names);
const folder = (...names: readonly string[]): string => {
  mkdirSync(at(...names), { recursive: true });
  return at(...names);
};
const uid = process.getuid?.() ?? 0;

describe.runIf(process.platform === "linux")("LinuxUserAccounts", () => {
  function accounts(
    passwd: string,
    lookUp?: (uids: readonly number[]) => Promise<string>,
  ): LinuxUserAccounts {
    writeFileSync(at("passwd"), passwd);
    writeFileSync(at("login.defs"), "# range\nUID_MIN\t\t 1000\nUID_MAX 2000\n");
    return new LinuxUserAccounts({
      passwdPath: at("passwd"),
      loginDefsPath: at("login.defs"),
      homesFolder: at("home"),
      ...(lookUp === undefined ? {} : { lookUp }),
    });
  }

  it("takes people with a home, by name, and no accounts of the system", async () => {
    for (const name of ["bob", "ann", "app", "old", "root", "nobody"]) folder("home", name);
    const line = (name: string, id: number, shell: string): string =>
      `${name}:x:${id}:${id}:N:${at("home", name)}/:${shell}`;
    const found = accounts(
      [
        line("root", 0, "/bin/bash"),
        line("bob", 1001, "/bin/zsh"),
        line("ann", 1000, ""),
        line("app", 1002, "/usr/sbin/nologin"),
        line("old", 999, "/bin/bash"),
        line("nobody", 65_534, "/bin/bash"),
        line("gone", 1003, "/bin/bash"),
        "slash:x:1004:1004::/:/bin/bash",
        "odd:x:many:1:::",
        "+@group::::::",
        "",
      ].join("\n"),
      () => Promise.resolve(""),
    );
    expect((await found.list()).map(({ name, id, home }) => [name, id, home])).toEqual([
      ["ann", "1000", at("home", "ann")],
      ["bob", "1001", at("home", "bob")],
    ]);
  });

  it.runIf(uid === 0)(
    "asks the name service for the owners of homes that no file knows",
    async () => {
      const owned = (id: number, ...names: readonly string[]): string => {
        chownSync(folder(...names), id, id);
        return at(...names);
      };
      const carla = owned(70_001, "home", "carla");
      const dora = owned(70_002, "home", "EXAMPLE", "dora");
      chownSync(at("home", "EXAMPLE"), 0, 0);
      owned(999, "home", "service");
      owned(65_534, "home", "nobody");
      const asked: number[][] = [];
      const found = accounts("", (uids) => {
        asked.push(uids.toSorted((a, b) => a - b));
        const lines = [
          `dora:*:70002:70002:Dora:${dora}:/bin/bash`,
          `carla:*:70001:70001::${carla}:/bin/sh`,
        ];
        return Promise.resolve(lines.join("\n"));
      });
      expect((await found.list()).map(({ name }) => name)).toEqual(["carla", "dora"]);
      expect(asked).toEqual([[70_001, 70_002]]);
    },
  );

  it("works where files are missing, and on the system itself", async () => {
    expect(
      await new LinuxUserAccounts({
        passwdPath: at("none"),
        loginDefsPath: at("none"),
        homesFolder: at("none"),
      }).list(),
    ).toEqual([]);
    for (const { home } of await openUserAccounts({}).list()) expect(home).toMatch(/^\/./);
  });
});

describe.runIf(process.platform === "linux")("userDirectories", () => {
  it("has usual names where the user chose none", async () => {
    const home = folder("ann");
    expect(await userDirectories(home, uid)).toMatchObject({
      desktop: [`${home}/Desktop`],
      documents: [`${home}/Documents`],
      downloads: [`${home}/Downloads`],
      videos: [`${home}/Videos`],
      "application-data": expect.arrayContaining([`${home}/.config`]),
    });
  });

  it("follows the user's choice, but not into what is not the user's", async () => {
    const home = folder("ann");
    const elsewhere = folder("data", "pictures");
    const music = folder("data", "music");
    symlinkSync(music, path.join(home, "Songs"));
    folder("ann", ".config");
    writeFileSync(
      path.join(home, ".config", "user-dirs.dirs"),
      [
        "# made by a tool",
        'XDG_DESKTOP_DIR="$HOME/"',
        'XDG_DOCUMENTS_DIR="$HOME/Dokumente"',
        `XDG_PICTURES_DIR="${elsewhere}"`,
        'XDG_MUSIC_DIR="$HOME/Songs"',
        'XDG_VIDEOS_DIR="/"',
        'XDG_DOWNLOAD_DIR="relative"',
      ].join("\n"),
    );
    const own = await userDirectories(home, uid);
    expect(own).toMatchObject({
      documents: [`${home}/Dokumente`],
      pictures: [elsewhere],
      music: [`${home}/Songs`, music],
      downloads: [`${home}/Downloads`],
    });
    expect(own).not.toHaveProperty("desktop");
    expect(await userDirectories(home, uid + 1)).toMatchObject({
      pictures: [`${home}/Pictures`],
      music: [`${home}/Songs`],
      videos: [`${home}/Videos`],
    });
  });

  it("reads the file's quoting, and nothing else", () => {
    const text = [
      'XDG_DOCUMENTS_DIR="$HOME/a \\"b\\" \\$c"',
      '  XDG_MUSIC_DIR = "/srv/../srv/m"  # mine',
      'XDG_VIDEOS_DIR="$HOMEx/v"',
      "XDG_PICTURES_DIR=$HOME/p",
      'XDG_DOWNLOAD_DIR="$(rm -rf /)"',
      'echo "x"',
    ].join("\n");
    expect([...parseUserDirectories(text, "/srv/ann")]).toEqual([
      ["DOCUMENTS", '/srv/ann/a "b" $c'],
      ["MUSIC", "/srv/m"],
    ]);
  });
});
