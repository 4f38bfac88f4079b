/** Tests that need programs of a server that a machine may not have. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { describe, it } from "vitest";

/** What Ceph's gateway needs. */
export const radosgwPrograms = ["radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd"];

/** What Swift needs. */
export const swiftPrograms = [
  "swift-proxy-server",
  "swift-account-server",
  "swift-container-server",
  "swift-object-server",
  "swift-ring-builder",
  "memcached",
];

/** A `describe` whose tests need a server's programs; without them one skipped (in CI: failed) test says so. */
export function describeWithPrograms(
  title: string,
  programs: readonly string[],
  body: () => void,
): void {
  describe(title, () => {
    if (areInstalled(programs)) return body();
    it("finds its server", (context) => {
      const reason = `${programs.join(", ")} not found in PATH`;
      if (process.env["CI"] === "true") throw new Error(reason);
      context.skip(reason);
    });
  });
}

/** True if all these programs are in PATH. */
export function areInstalled(programs: readonly string[]): boolean {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  return programs.every((program) =>
    folders.some((folder) => {
      try {
        accessSync(path.join(folder, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}
