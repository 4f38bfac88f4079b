import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../protocol/backstay-error.ts";
import { LocalStore } from "./local/local-store.ts";
import { openStore } from "./open-store.ts";
import { storeSchemes } from "./store-address.ts";

describe("openStore", () => {
  it("takes paths as local folders", () => {
    const paths: [address: string, path: string][] = [
      ["/srv/backup", "/srv/backup"],
      ["local:/srv/backup", "/srv/backup"],
      ["local:relative/x", "relative/x"],
      ["local:odd:name", "odd:name"],
      ["relative", "relative"],
      [".", "."],
      ["..", ".."],
      ["./s3:x", "./s3:x"],
      ["../rest:x", "../rest:x"],
      ["/srv/a:b", "/srv/a:b"],
      ["folder/a:b", "folder/a:b"],
      ["C:\\backup", "C:\\backup"],
      ["d:/backup", "d:/backup"],
      ["\\\\server\\share", "\\\\server\\share"],
    ];
    for (const [address, path] of paths) {
      const store = openStore(address);
      expect(store).toBeInstanceOf(LocalStore);
      expect([address, store.location]).toEqual([address, resolve(path)]);
    }
  });
  it("refuses kinds of storage that are not built in, by their name and without their secrets", () => {
    const addresses: [address: string, kind: string][] = [
      ["sftp:user@host:/srv", "sftp"],
      ["https://user:secret@host/", "https"],
      ["unheard-of:x", "unheard-of"],
    ];
    for (const [address, kind] of addresses) {
      const failure = thrownBy(() => openStore(address));
      expect([address, failure]).toMatchObject([
        address,
        { code: "STORE_UNSUPPORTED", kind: "permanent", context: { kind } },
      ]);
      expect(String(failure)).not.toContain("secret");
      expect(storeSchemes).not.toContain(kind);
    }
  });
  it("refuses locks and classes where the kind has none, and classes that can't be read at once", () => {
    const retention = { mode: "compliance", days: 1 } as const;
    for (const [address, options] of [
      ["/srv/backup", { retention }],
      ["rest:https://host/", { storageClass: "Cool" }],
      ["/srv/backup", { storageClass: "COLD" }],
      ["s3:https://host/bucket", { storageClass: "glacier" }],
      ["azure:container:/", { storageClass: "Archive" }],
    ] as const)
      expect(thrownBy(() => openStore(address, options))).toMatchObject({ code: "STORE_LACKS" });
  });
  it("refuses an empty address", () => {
    for (const address of ["", "local:"])
      expect(
        isBackstayError(
          thrownBy(() => openStore(address)),
          "USAGE",
        ),
      ).toBe(true);
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
