/** restic and Backstay through our gateway, and Backstay through restic's rest-server. */
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeCertificate, makeCertificateKey } from "../../server/serve/own-certificate.ts";
import { type GatewayMachine, GatewayScene } from "../gateway/gateway-scene.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { describeWithPeers } from "../peers.ts";
import { resticOn } from "../programs.ts";
import { type RunningServer, startRestServer } from "../rest/rest-servers.ts";
import { makeTestGround, type TestGround } from "../server/test-ground.ts";
import { type RestRepository, RestScene } from "./rest-scene.ts";

const folder = newMemoryFolder("backstay-gateway-interop-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

let scene: RestScene;
beforeAll(() => {
  scene = new RestScene();
});
afterAll(() => scene.remove());

describe("the gateway", () => {
  let ground: TestGround;
  let gateway: GatewayScene;
  let machine: GatewayMachine;
  let repository: RestRepository;

  beforeAll(async () => {
    const dataFolder = path.join(folder, "data");
    ground = await makeTestGround(path.join(folder, "server.db"), { dataFolder });
    gateway = new GatewayScene(ground);
    await gateway.start();
  });
  afterAll(async () => {
    await gateway.stop();
    await ground.close();
  });
  beforeEach(async () => {
    machine = await gateway.machine();
    const url = `${gateway.url}${machine.path}`;
    repository = { url, user: machine.agentId, password: machine.password };
  });

  /** What the database counts is what lies in the folder. */
  async function expectCounted(): Promise<void> {
    expect(await gateway.counted(machine)).toEqual(gateway.stored(machine));
  }

  for (const name of ["restic018", "restic014"] as const)
    describeWithPeers(`with ${name}`, [name], (peers) => {
      it("keeps and gives back what it backs up, and nothing can be removed", async () => {
        const restic = scene.restic(peers[name], repository);
        await restic.succeed("init");
        await scene.backUp(restic);
        scene.touch();
        await scene.backUp(restic);
        await expectCounted();
        // restic 0.14 tries a refused removal again for a quarter of an hour.
        if (name === "restic018") {
          const outcome = await restic.run("forget", "--keep-last", "1", "--prune");
          expect(outcome.exitCode).not.toBe(0);
          expect(outcome.stderr).toMatch(/403|unable to remove/i);
        }
        expect(await scene.snapshots(restic)).toBe(2);
        await scene.expectGood(restic);
        const direct = resticOn(peers[name], {
          repository: gateway.folderOf(machine),
          password: "interop",
        });
        expect(await direct.output("list", "locks", "--no-lock")).toBe("");
      });
    });

  describeWithPeers("with both programs", ["restic018"], (peers) => {
    it("shares a repository, in both directions", async () => {
      const restic = scene.restic(peers.restic018, repository);
      const backstay = scene.backstay(repository);
      await backstay.succeed("init");
      await scene.backUp(backstay);
      scene.touch();
      await scene.backUp(restic);
      await scene.expectGood(backstay);
      scene.touch();
      await scene.backUp(backstay);
      await scene.expectGood(restic);
      expect(await scene.snapshots(backstay)).toBe(3);
      await expectCounted();
    });
  });

  it("serves Backstay's own command line", async () => {
    const backstay = scene.backstay(repository);
    const nowhere = await backstay.run("snapshots");
    expect([nowhere.exitCode, nowhere.stderr]).toEqual([10, expect.any(String)]);
    await backstay.succeed("init");
    await scene.backUp(backstay);
    await backstay.succeed("unlock", "--remove-all");
    await scene.expectGood(backstay);
    await expectCounted();
  });
  it("tells a wrong account from a repository that is not there, and shows no password", async () => {
    const secret = "planted-secret-0123456789";
    const backstay = scene.backstay({ ...repository, password: secret });
    const { exitCode, stdout, stderr } = await backstay.run("snapshots");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("The storage refused access");
    expect(stdout + stderr).not.toContain(secret);
    const inAddress = backstay.with({
      repository: `rest:${repository.url.replace("//", `//somebody:${secret}@`)}`,
    });
    const other = await inAddress.run("snapshots", "--json");
    expect(other.exitCode).toBe(1);
    expect(other.stdout + other.stderr).not.toContain(secret);
    expect(ground.logged.join("\n")).not.toContain(secret);
  });
});

describeWithPeers("Backstay through rest-server", ["restServer", "restic018"], (peers) => {
  let server: RunningServer;
  afterEach(async () => await server.stop());

  it("backs up, checks, restores, and shares the repository with restic", async () => {
    server = await startRestServer(peers.restServer, path.join(folder, "plain"));
    const repository = { url: `${server.url}/some/place/` };
    const backstay = scene.backstay(repository);
    const restic = scene.restic(peers.restic018, repository);
    await backstay.succeed("init");
    await scene.backUp(backstay);
    scene.touch();
    await scene.backUp(restic);
    await scene.expectGood(backstay);
    expect(await scene.snapshots(restic)).toBe(2);
    await backstay.succeed("unlock", "--remove-all");
  });
  it("that only appends, with an account and TLS, does so too", async () => {
    const file = (name: string, text: string): string => {
      const place = path.join(folder, name);
      writeFileSync(place, text);
      return place;
    };
    const key = makeCertificateKey();
    const certificate = makeCertificate(createPrivateKey(key), ["127.0.0.1"], Date.now());
    const authority = file("server.crt", certificate);
    const account = { user: "anna", password: "se cret%" };
    const hash = createHash("sha1").update(account.password).digest("base64");
    server = await startRestServer(
      peers.restServer,
      path.join(folder, "safe"),
      ...["--append-only", "--private-repos", "--tls"],
      ...["--tls-cert", authority, "--tls-key", file("server.key", key)],
      ...["--htpasswd-file", file("accounts", `anna:{SHA}${hash}\n`)],
    );
    const repository = { url: `${server.url}/anna/`, ...account, authority };
    const backstay = scene.backstay(repository);
    await backstay.succeed("init");
    await scene.backUp(backstay);
    await scene.expectGood(backstay);
    const restic = scene.restic(peers.restic018, {
      ...repository,
      password: encodeURIComponent(account.password),
    });
    expect(await scene.snapshots(restic)).toBe(1);
    const { exitCode } = await scene.backstay({ ...repository, authority: "" }).run("snapshots");
    expect(exitCode).not.toBe(0);
  });
});
