/**
 * restic and Backstay on one repository in Azurite: restic 0.14 with the same address and the same environment, restic 0.18,
 * which Debian builds without Azure, through rclone's own client of Azure.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { NamedAzurite } from "../object-storage/named-azurite.ts";
import { describeWithPeers } from "../peers.ts";
import type { RepositoryProgram } from "../programs.ts";
import { RestScene } from "./rest-scene.ts";

describeWithPeers("azure: with restic", ["restic014", "restic018", "rclone"], (peers) => {
  let scene: RestScene;
  let azurite: NamedAzurite;
  beforeAll(async () => {
    scene = new RestScene();
    azurite = await NamedAzurite.start();
  });
  afterAll(async () => {
    scene.remove();
    await azurite.stop();
  });

  /** Each program on the repository at `path` of one container. */
  function programs(
    path: string,
  ): Record<"backstay" | "restic014" | "restic018", RepositoryProgram> {
    const { environment } = azurite;
    const repository = `azure:backups:/${path}`;
    // restic 0.14 takes authorities from an option only; both get them as all of Go's programs do.
    const forRestic = { ...environment, SSL_CERT_FILE: environment["RESTIC_CACERT"] ?? "" };
    return {
      backstay: scene.backstayOn(repository, environment),
      restic014: scene.resticOn(peers.restic014, repository, forRestic),
      restic018: scene.resticOn(peers.restic018, `rclone:container:backups/${path}`, {
        ...forRestic,
        ...azurite.rcloneEnvironment("container"),
      }),
    };
  }

  it("reads, checks and goes on with what Backstay made", async () => {
    const { restic014, restic018, backstay } = programs("made/by-backstay");
    await backstay.succeed("init");
    await scene.cheapen("azure:backups:/made/by-backstay", azurite.environment);
    await scene.backUp(backstay);
    await scene.expectGood(restic014);
    await scene.expectGood(restic018);
    scene.touch();
    await scene.backUp(restic014);
    scene.touch();
    await scene.backUp(restic018);
    await scene.expectGood(backstay);
    expect(await scene.snapshots(backstay)).toBe(3);
  });
  it("makes what Backstay reads, checks and goes on with", async () => {
    const { restic014, backstay } = programs("made/by-restic");
    await restic014.succeed("init", "--repository-version", "2");
    await scene.cheapen("azure:backups:/made/by-restic", azurite.environment);
    await scene.backUp(restic014);
    await scene.expectGood(backstay);
    scene.touch();
    await scene.backUp(backstay);
    await restic014.succeed("forget", "--keep-last", "1", "--prune");
    await scene.expectGood(backstay);
    expect(await scene.snapshots(restic014)).toBe(1);
  });
  afterAll(() => {
    const hosts = new Set(azurite.proxy.requests.map(({ text }) => text));
    expect([...hosts]).toEqual(["CONNECT interopaccount.blob.core.windows.net:443"]);
  });
});
