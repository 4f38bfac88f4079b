/**
 * Repositories whose restore points are locked: in Ceph's gateway, which really keeps what is locked, and in our stand-in
 * for Google. restic reads them as any other.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fileTypes, type Handle, handlePath } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { GatewayScene } from "../gateway/gateway-scene.ts";
import { FaultProxy } from "../object-storage/fault-proxy.ts";
import { GoogleByProxy } from "../object-storage/google-fake/google-by-proxy.ts";
import type { Radosgw } from "../object-storage/radosgw.ts";
import { rawS3 } from "../object-storage/raw-s3.ts";
import { describeWithPrograms, radosgwPrograms } from "../object-storage/server-programs.ts";
import { sharedRadosgw } from "../object-storage/shared-server.ts";
import { describeWithPeers } from "../peers.ts";
import type { RepositoryProgram } from "../programs.ts";
import { makeTestGround } from "../server/test-ground.ts";
import { RestScene } from "./rest-scene.ts";

const never = new AbortController().signal;
const dayMs = 86_400_000;

interface Place {
  readonly repository: string;
  readonly environment: Readonly<Record<string, string>>;
}

describeWithPeers("a locked repository", ["restic018"], (peers) => {
  let scene: RestScene;
  beforeAll(() => {
    scene = new RestScene();
  });
  afterAll(() => scene.remove());

  function programs({ repository, environment }: Place): {
    backstay: RepositoryProgram;
    restic: RepositoryProgram;
  } {
    return {
      backstay: scene.backstayOn(repository, environment),
      restic: scene.resticOn(peers.restic018, repository, environment),
    };
  }

  /** When the locks of restore points end, oldest restore point first; undefined for one without. */
  async function shownUntil(backstay: RepositoryProgram): Promise<(number | undefined)[]> {
    const shown = await backstay.messages("snapshots");
    return shown.map(({ locked_until: until }) =>
      typeof until === "string" ? Date.parse(until) : undefined,
    );
  }

  /** Until when every object is locked, by its path; locks of sessions are left out. */
  async function lockedObjects({
    repository,
    environment,
  }: Place): Promise<Map<string, number | undefined>> {
    const store = openStore(repository, { environment });
    const handles: Handle[] = [{ type: "config", name: "" }];
    for (const type of fileTypes)
      if (type !== "locks")
        for await (const { name } of store.list(type, never)) handles.push({ type, name });
    const found = new Map<string, number | undefined>();
    for (const handle of handles)
      found.set(handlePath(handle), await store.retentionLocks?.lockedUntil(handle, never));
    await store.close();
    return found;
  }

  /** Backs up without locks, and then with them; every object is locked for as long as is shown. */
  async function lockOneThatIsThere(place: Place, mode: string, turns: number): Promise<void> {
    const { backstay, restic } = programs(place);
    await backstay.succeed("init");
    await scene.backUp(backstay);
    const locking = ["--retention-days", "2", "--retention-mode", mode];
    const startMs = Date.now();
    for (let turn = 1; turn <= turns; turn += 1) {
      scene.touch();
      await backstay.succeed("backup", scene.source, "--host", "interop", ...locking);
      const shown = await shownUntil(backstay);
      expect(shown.map((untilMs) => untilMs !== undefined)).toEqual(
        [false, true, true].slice(0, turn + 1),
      );
      const untilMs = shown.at(-1) ?? Number.NaN;
      expect(untilMs).toBeGreaterThanOrEqual(startMs + 2 * dayMs);
      const short = [...(await lockedObjects(place))].filter(([, at]) => !((at ?? 0) >= untilMs));
      // The restore point that was to have no lock.
      expect(short.map(([path]) => path.slice(0, 10))).toEqual(["snapshots/"]);
    }
    await scene.expectGood(restic);
  }

  describeWithPrograms("in Ceph's gateway", radosgwPrograms, () => {
    const run = randomBytes(4).toString("hex");
    let server: Radosgw;
    let client: S3Client;
    beforeAll(async () => {
      server = await sharedRadosgw();
      client = rawS3(server);
    });
    afterAll(() => client?.destroy());

    it.each([
      ["compliance", 2],
      ["governance", 1],
    ] as const)("can't be removed in %s mode", async (mode, turns) => {
      const Bucket = `${mode}-${run}`;
      await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      const repository = `s3:${server.url}/${Bucket}/some/prefix`;
      await lockOneThatIsThere({ repository, environment: server.environment }, mode, turns);
      const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
      const kept = Versions.filter(
        ({ Key = "", IsLatest = false }) => IsLatest && /\/(?:data|index|keys|config)/.test(Key),
      );
      expect(kept.length).toBeGreaterThan(5);
      for (const { Key, VersionId } of kept) {
        const { Retention } = await client.send(new GetObjectRetentionCommand({ Bucket, Key }));
        expect(Retention?.Mode).toBe(mode.toUpperCase());
        const removal = new DeleteObjectCommand({ Bucket, Key, VersionId });
        await expect(client.send(removal)).rejects.toMatchObject({ name: "AccessDenied" });
      }
    });

    it("is made in a bucket that is made for it, and from the beginning", async () => {
      const repository = `s3:${server.url}/made-${run}/x`;
      const place = { repository, environment: server.environment };
      const { backstay } = programs(place);
      await backstay.succeed("init", "--retention-days", "1");
      const untilMs = [...(await lockedObjects(place)).values()];
      expect(untilMs).toHaveLength(2);
      for (const each of untilMs) expect(each).toBeGreaterThan(Date.now() + dayMs);
    });

    it("is locked through our gateway, too", async () => {
      const Bucket = `gateway-${run}`;
      await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      const ground = await makeTestGround(path.join(scene.folder, "server.db"));
      const { environment } = server;
      const gateway = new GatewayScene(ground, {
        hasFolder: false,
        open: (address, options) => openStore(address, { ...options, environment }),
      });
      await gateway.start();
      try {
        const machine = await gateway.machine();
        await gateway.keepIn(machine, { url: `s3:${server.url}/${Bucket}/below`, mayLock: true });
        const { agentId, password } = machine;
        await lockOneThatIsThere(
          {
            repository: gateway.address(machine),
            environment: { RESTIC_REST_USERNAME: agentId, RESTIC_REST_PASSWORD: password },
          },
          "compliance",
          2,
        );
        const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
        const pack = Versions.find(({ Key }) => Key?.includes("/data/"));
        const removal = new DeleteObjectCommand({
          Bucket,
          Key: pack?.Key,
          VersionId: pack?.VersionId,
        });
        await expect(client.send(removal)).rejects.toMatchObject({ name: "AccessDenied" });
      } finally {
        await gateway.stop();
        await ground.close();
      }
    });

    it("is restored as far as its packs can be read, and only after saying which can't", async () => {
      const proxy = await FaultProxy.start(server.url);
      try {
        const repository = `s3:${proxy.url}/archived-${run}/x`;
        const { environment } = server;
        const { backstay } = programs({ repository, environment });
        await backstay.succeed("init");
        await scene.backUp(backstay);
        const store = openStore(repository, { environment });
        const large: string[] = [];
        for await (const { name, size } of store.list("data", never))
          if (size > 1_000_000) large.push(name);
        await store.close();
        expect(large.length).toBeGreaterThan(0);
        const body = "<Error><Code>InvalidObjectState</Code><Message>archived</Message></Error>";
        proxy.follow(({ method, target }) =>
          method === "GET" && large.some((name) => target.includes(name))
            ? { kind: "refuse", status: 403, body }
            : undefined,
        );
        const target = scene.at("from-archive");
        const refused = await backstay.run("restore", "latest", "--target", target, "-v");
        expect(refused.exitCode).toBe(1);
        for (const said of [`${large.length} packs of`, "lie in an archive", "--yes", large[0]])
          expect(refused.stderr).toContain(said);
        expect(existsSync(path.join(target, scene.source))).toBe(false);
        const rest = await backstay.run("restore", "latest", "--target", target, "--yes");
        expect(rest.exitCode).toBe(1);
        // It has no data, the other one is data of a large pack only.
        expect(existsSync(path.join(target, scene.source, "empty"))).toBe(true);
        expect(rest.stderr).toContain("lies in an archive");
        const said = await backstay.messages("restore", "latest", "--target", target, "-n");
        const coldPacks = { message_type: "cold_packs", needed: expect.any(Number) };
        expect(said).toContainEqual(expect.objectContaining(coldPacks));
        proxy.follow(() => undefined);
        await backstay.succeed("restore", "latest", "--target", target);
      } finally {
        await proxy.stop();
      }
    });

    it("is not promised by a bucket that keeps no locks", async () => {
      const repository = `s3:${server.url}/without-${run}/x`;
      const { backstay } = programs({ repository, environment: server.environment });
      await backstay.succeed("init");
      const { exitCode, stderr } = await backstay.run("backup", scene.source, "--retention-days=1");
      expect(exitCode).toBe(1);
      expect(String(stderr)).toContain("The storage refused access");
    });
  });

  it("is one at Google, too", async () => {
    const google = await GoogleByProxy.start();
    try {
      const { environment } = google;
      google.fake.bucket("locked").settings.objectRetention = true;
      await lockOneThatIsThere(
        { repository: "gs:locked:/some/prefix", environment },
        "compliance",
        1,
      );
    } finally {
      await google.stop();
    }
  });
});
