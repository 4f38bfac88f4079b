/** restic and Backstay on one repository in Ceph's gateway, with the same address and the same environment, over TLS. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Radosgw } from "../object-storage/radosgw.ts";
import { describeWithPrograms, radosgwPrograms } from "../object-storage/server-programs.ts";
import { sharedRadosgw } from "../object-storage/shared-server.ts";
import { describeWithPeers } from "../peers.ts";
import type { RepositoryProgram } from "../programs.ts";
import { RestScene } from "./rest-scene.ts";

describeWithPrograms("s3:", radosgwPrograms, () => {
  describeWithPeers("with restic", ["restic014", "restic018"], (peers) => {
    const run = randomBytes(4).toString("hex");
    let scene: RestScene;
    let server: Radosgw;
    beforeAll(async () => {
      scene = new RestScene();
      server = await sharedRadosgw();
    });
    afterAll(() => scene.remove());

    const addressOf = (path: string): string => `s3:${server.tlsUrl}/interop-${run}/${path}`;
    const ownEnvironment = (): Record<string, string> => ({
      ...server.environment,
      RESTIC_CACERT: server.authorityFile,
    });

    /** Each program on the repository at `path`. */
    function programs(
      path: string,
    ): Record<"backstay" | "restic014" | "restic018", RepositoryProgram> {
      const repository = addressOf(path);
      const own = ownEnvironment();
      // restic 0.14 takes authorities from an option only; so both get them as all of Go's programs do.
      const forRestic = { ...own, SSL_CERT_FILE: server.authorityFile };
      return {
        backstay: scene.backstayOn(repository, own),
        restic014: scene.resticOn(peers.restic014, repository, forRestic),
        restic018: scene.resticOn(peers.restic018, repository, forRestic),
      };
    }

    it("reads, checks and goes on with what Backstay made", async () => {
      const { restic014, restic018, backstay } = programs("made/by-backstay");
      await backstay.succeed("init");
      await scene.cheapen(addressOf("made/by-backstay"), ownEnvironment());
      await scene.backUp(backstay);
      await scene.expectGood(restic014);
      await scene.expectGood(restic018);
      scene.touch();
      await scene.backUp(restic018);
      await scene.expectGood(backstay);
      expect(await scene.snapshots(backstay)).toBe(2);
    });
    it("makes and prunes what Backstay reads, checks and goes on with", async () => {
      const { restic018, backstay } = programs("made by restic");
      await restic018.succeed("init");
      await scene.cheapen(addressOf("made by restic"), ownEnvironment());
      await scene.backUp(restic018);
      await scene.expectGood(backstay);
      scene.touch();
      await scene.backUp(backstay);
      await restic018.succeed("forget", "--keep-last", "1", "--prune");
      await scene.expectGood(backstay);
      expect(await scene.snapshots(backstay)).toBe(1);
    });
  });
});
