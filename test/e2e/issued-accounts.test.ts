/** Accounts that a server issues, against a storage that enforces them: a machine's backups, and renewal in mid-run. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { CreateBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { beforeAll, expect, it } from "vitest";
import type { AccountAnswer, RunOrder } from "../../protocol/run-order.ts";
import { s3Account } from "../../server/storage-accounts/s3-sts-issuer.ts";
import { EngineScene } from "../engine/engine-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import type { Radosgw } from "../object-storage/radosgw.ts";
import { makeRadosgwRole, type RadosgwRole } from "../object-storage/radosgw-role.ts";
import { rawS3 } from "../object-storage/raw-s3.ts";
import { describeWithPrograms, radosgwPrograms } from "../object-storage/server-programs.ts";
import { sharedRadosgw } from "../object-storage/shared-server.ts";
import { compareTrees } from "../tree-comparison.ts";

const bucket = `accounts-${randomBytes(4).toString("hex")}`;
const dayMs = 86_400_000;

describeWithPrograms("accounts that a server issues", radosgwPrograms, () => {
  let storage: Radosgw;
  let role: RadosgwRole;

  beforeAll(async () => {
    storage = await sharedRadosgw();
    role = await makeRadosgwRole(storage);
    const client = rawS3(storage);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
  });

  const keys = async (prefix: string): Promise<string[]> => {
    const client = rawS3(storage);
    const { Contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }),
    );
    client.destroy();
    return Contents.map(({ Key = "" }) => Key.slice(prefix.length));
  };

  it("carry a machine's backup and restore; the server's own account stays where it is", async () => {
    const server = await ServerScene.start();
    const scene = await ManagedScene.make(server);
    try {
      await scene.putSecret(
        "storage",
        Object.entries(role.own)
          .map((pair) => pair.join("="))
          .join("\n"),
      );
      const url = `s3:${storage.url}/${bucket}/fleet/{tenant}/{agent}`;
      const issuer = {
        kind: "s3-sts",
        roleArn: role.arn,
        endpoint: storage.url,
        durationSeconds: 900,
      };
      await scene.setRoutes([{ kind: "direct", url, secret: "storage", issuer }]);
      await scene.addPolicy();
      await scene.join();
      expect(await scene.run()).toMatchObject({ route: "direct", outcome: "success" });
      const { id } = await scene.agent();
      const stored = await keys(`fleet/${scene.tenantId}/${id}/`);
      expect(stored).toContain("config");
      expect(stored.filter((key) => key.startsWith("locks/"))).toEqual([]);

      // What the machine was given is enough without the server, also for a daemon that starts anew.
      await server.endReplica();
      await scene.machine.end("SIGKILL");
      await scene.machine.start();
      expect(await scene.run()).toMatchObject({ route: "direct", outcome: "success" });
      await server.startReplica();
      await scene.sync();
      const target = scene.machine.at("restored");
      expect(await scene.restore(target)).toMatchObject({ state: "succeeded" });
      const source = scene.machine.at("source");
      expect(compareTrees(source, path.join(target, source)).differenceCount).toBe(0);
      const state = await scene.machine.cli(["support-bundle", scene.machine.at("bundle.tgz")]);
      const said = server.output + state.stdout + (await scene.machine.cli(["log"])).stdout;
      expect(said).not.toContain(role.own["AWS_SECRET_ACCESS_KEY"]);
    } finally {
      await scene.remove();
      await server.remove();
    }
  });

  /** A run whose accounts come from `answer`, which gets the number of the question, from 1. */
  async function runWith(
    name: string,
    answer: (asked: number, isRefused: boolean) => Promise<AccountAnswer["answer"]>,
  ) {
    const scene = new EngineScene();
    try {
      scene.addNoise(6, 1024 * 1024);
      const url = `s3:${storage.url}/${bucket}/${name}`;
      const order: RunOrder = {
        ...scene.order(),
        repository: {
          ...scene.order().repository,
          routes: [{ kind: "direct", url, issuedFor: "repository" }],
        },
        limits: { uploadBytesPerSecond: 3 * 1024 * 1024 },
      };
      const refusals: boolean[] = [];
      const ended = await scene.run(order, (message, child: ChildProcess) => {
        if (message.type !== "account") return;
        refusals.push(message.isRefused);
        void answer(refusals.length, message.isRefused).then((told) => {
          const line: AccountAnswer = { type: "account", route: message.route, answer: told };
          child.stdin?.write(`${JSON.stringify(line)}\n`);
        });
      });
      return { ...ended, refusals };
    } finally {
      scene.remove();
    }
  }

  const realAccount = async (name: string) =>
    await s3Account({
      issuer: { kind: "s3-sts", roleArn: role.arn, endpoint: storage.url, durationSeconds: 900 },
      address: `s3:${storage.url}/${bucket}/${name}`,
      agentId: name,
      own: role.own,
      nowMs: Date.now(),
      signal: new AbortController().signal,
    });

  it("are renewed in mid-run, before they end", async () => {
    const { report, refusals, stdout, stderr } = await runWith("renewed", async () => ({
      ...(await realAccount("renewed")),
      remainingMs: 1000,
    }));
    expect(report, stderr).toMatchObject({ outcome: "success" });
    expect(refusals.length).toBeGreaterThan(1);
    expect(refusals).not.toContain(true);
    expect(stdout).not.toContain("AWS_SECRET_ACCESS_KEY");
  });

  it("make a run pause when they end and no other is to be had, and nothing is sent twice", async () => {
    const { report, refusals, stderr } = await runWith("paused", async (asked) => {
      const account = await realAccount("paused");
      if (asked === 1) return { ...account, remainingMs: 900 };
      if (asked < 4) return { kind: "temporary", problem: "the server is away" };
      return { ...account, remainingMs: dayMs };
    });
    expect(report, stderr).toMatchObject({ outcome: "success" });
    expect(refusals).toHaveLength(4);
    const stored = report?.backup?.bytesStored ?? 0;
    expect(stored).toBeGreaterThan(6 * 1024 * 1024);
    expect(report?.traffic?.bytesUp).toBeLessThan(stored * 1.1);
  });

  it("are replaced when the storage refuses them", async () => {
    const { report, refusals, stderr } = await runWith("refused", async (asked) => {
      const account = await realAccount("refused");
      if (asked > 1) return { ...account, remainingMs: dayMs };
      const settings = { ...account.settings, AWS_SESSION_TOKEN: "AAAA" };
      return { settings, expiresMs: Date.now() - 1000, remainingMs: dayMs };
    });
    expect(report, stderr).toMatchObject({ outcome: "success" });
    expect(refusals).toEqual([false, true]);
  });

  it("end a run at once when the server refuses for good", async () => {
    const { report } = await runWith("never", async () => ({
      kind: "permanent",
      problem: "the machine is suspended",
    }));
    expect(report).toMatchObject({ outcome: "failure", error: { code: "STORE_DENIED" } });
  });
});
