import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AccountNames } from "./account-names.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "accounts-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function accounts(passwd: string, group: string): AccountNames {
  writeFileSync(join(folder, "passwd"), passwd);
  writeFileSync(join(folder, "group"), group);
  return new AccountNames(join(folder, "passwd"), join(folder, "group"));
}

describe.runIf(process.platform === "linux")("AccountNames", () => {
  it("reads the system's files, the first name of an id winning", () => {
    const names = accounts(
      "# note\nanna:x:70001:100:A:/home/a:/bin/sh\nother:x:70001:1::/:\n+nis:x:70002:1::/:\nü:x:70003:::\nbad\nno:x:-1:\n",
      "staff:x:70001:anna,bo\n",
    );
    expect([70001, 70002, 70003].map((id) => names.userName(id))).toEqual(["anna", "", "ü"]);
    expect(names.groupName(70001)).toBe("staff");
  });

  it("asks the name service for ids that the files lack", () => {
    // Without a file of its own, whatever is known comes from the C library.
    const names = new AccountNames(join(folder, "absent"), join(folder, "absent"));
    const { uid, username } = userInfo();
    expect(names.userName(uid)).toBe(username);
    expect(names.groupName(0)).toBe("root");
    expect(names.userName(3_999_999_999)).toBe("");
    expect(names.groupName(3_999_999_999)).toBe("");
  });
});
