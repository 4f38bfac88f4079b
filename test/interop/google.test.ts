/**
 * restic and Backstay on one repository at Google, by the same address and environment; Google is our stand-in, which so
 * is used by Google's own Go client too, through a proxy and with a private authority.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { GoogleByProxy } from "../object-storage/google-fake/google-by-proxy.ts";
import { describeWithPeers } from "../peers.ts";
import type { RepositoryProgram } from "../programs.ts";
import { RestScene } from "./rest-scene.ts";

describeWithPeers("a repository at Google", ["restic018"], (peers) => {
  let google: GoogleByProxy;
  let scene: RestScene;
  beforeAll(async () => {
    google = await GoogleByProxy.start();
    scene = new RestScene();
  });
  afterAll(async () => {
    await google.stop();
    scene.remove();
  });

  function programs(repository: string): [restic: RepositoryProgram, backstay: RepositoryProgram] {
    const { environment } = google;
    return [
      scene.resticOn(peers.restic018, repository, environment),
      scene.backstayOn(repository, environment),
    ];
  }

  it("that restic has made is read, checked and written by Backstay", async () => {
    const repository = "gs:made-by-restic:/some/prefix";
    const [restic, backstay] = programs(repository);
    await restic.succeed("init");
    await scene.cheapen(repository, google.environment);
    await scene.backUp(restic);
    await scene.expectGood(backstay);
    scene.touch();
    await scene.backUp(backstay);
    await scene.expectGood(restic);
    expect(await scene.snapshots(restic)).toBe(2);
  });
  it("that Backstay has made is read, checked, written and pruned by restic", async () => {
    const repository = "gs:made-by-backstay:/";
    const [restic, backstay] = programs(repository);
    await backstay.succeed("init");
    await scene.cheapen(repository, google.environment);
    await scene.backUp(backstay);
    await scene.expectGood(restic);
    scene.touch();
    await scene.backUp(restic);
    await restic.succeed("forget", "--keep-last", "1", "--prune");
    await scene.expectGood(backstay);
    expect(await scene.snapshots(backstay)).toBe(1);
    expect(google.proxy.requests.some(({ text }) => text.includes("oauth2"))).toBe(true);
  });
});
