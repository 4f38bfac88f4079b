import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { Handle } from "../../storage/object-store.ts";
import { GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { StorageMoves } from "./storage-moves.ts";

const never = new AbortController().signal;

eachGround("a repository whose storage is to be another", (ground) => {
  it("has all its data there already, of each machine, or stays where it is", async () => {
    const scene = new GatewayScene(ground());
    await scene.start();
    const machine = await scene.machine();
    const bodies = [randomBytes(500), randomBytes(700)];
    expect((await scene.ask(machine, "POST", "?create=true")).status).toBe(200);
    for (const body of bodies)
      expect(
        (await scene.ask(machine, "POST", `data/${hashed(body)}`, { body: new Uint8Array(body) }))
          .status,
      ).toBe(200);
    await scene.stop();
    const memory = new MemoryStore();
    const moves = new StorageMoves({ ground: ground(), environment: {}, open: () => memory });
    const move = async (): Promise<void> =>
      await moves.requireMoved(machine.repositoryId, { url: "s3:host/bucket" });
    const { tenantId, repositoryId, agentId } = machine;
    const there = memory.below([tenantId, repositoryId, agentId].join("/"));
    const handles = bodies.map((body): Handle => ({ type: "data", name: hashed(body) }));
    await expect(move()).rejects.toMatchObject({
      code: "RESOURCE_STATE",
      context: {
        machine: agentId,
        problem: expect.stringContaining("of which 0 (0 bytes)") as string,
      },
    });
    await there.save(handles[0], bodies[0], never);
    await expect(move()).rejects.toMatchObject({ code: "RESOURCE_STATE" });
    await there.save(handles[1], bodies[1], never);
    await move();
    // And back: the folder still has it.
    await moves.requireMoved(repositoryId, undefined);
    const empty = await scene.machine();
    await moves.requireMoved(empty.repositoryId, { url: "s3:host/bucket" });
  });
});
