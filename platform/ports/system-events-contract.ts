/** What every adapter of the port of system events does, as tests; each adapter runs it on a scene of its own. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SystemEvent, SystemEvents } from "./system-events.ts";

type Kind = SystemEvent["kind"];

/** An adapter, and a machine or the play of one. */
export interface SystemEventsScene {
  readonly events: SystemEvents;
  /** Makes happen what should end in one event of that kind. */
  cause(kind: Kind): Promise<void>;
  end(): Promise<void>;
}

/** Two reports of one happening are apart by less. */
const settleMs = 400;
const waitMs = 10_000;

/** Declares the suite for one adapter; `kinds` are those that its scene can cause, each after those before it. */
export function describeSystemEvents(
  name: string,
  openScene: () => Promise<SystemEventsScene>,
  kinds: readonly Kind[],
): void {
  describe(`${name} as system events`, () => {
    let scene: SystemEventsScene;
    let emitted: SystemEvent[];

    beforeEach(async () => {
      emitted = [];
      scene = await openScene();
    });
    afterEach(async () => {
      await scene.events.stop();
      await scene.end();
    });

    const start = (): ReturnType<SystemEvents["start"]> =>
      scene.events.start((event) => emitted.push(event));
    const count = (kind: Kind): number => emitted.filter((event) => event.kind === kind).length;

    it("says of each source whether it is there, and why", async () => {
      const probes = await start();
      expect([...probes.keys()].sort()).toEqual(
        ["mounts", "network", "power", "sessions", "shutdown", "sleep", "time"].sort(),
      );
      for (const [source, { reason }] of probes) expect(reason, source).toMatch(/\S/);
    });

    if (kinds.length > 0)
      it(`tells once each: ${kinds.join(", ")}`, async () => {
        await start();
        for (const kind of kinds) {
          const before = count(kind);
          await scene.cause(kind);
          await vi.waitFor(() => expect(count(kind), kind).toBeGreaterThan(before), waitMs);
          await settle();
          expect(count(kind), kind).toBe(before + 1);
        }
        for (const event of emitted) expectWhole(event);
      });

    if (kinds.includes("lock"))
      it("knows who is locked while it runs", async () => {
        await start();
        if (kinds.includes("log-on")) await scene.cause("log-on");
        await scene.cause("lock");
        await vi.waitFor(async () => expect(await scene.events.isLocked()).toBe(true), waitMs);
      });

    it("can be stopped twice, and started again", async () => {
      expect([true, false, undefined]).toContain(await scene.events.isLocked());
      await start();
      await scene.events.stop();
      await scene.events.stop();
      await start();
      const [kind] = kinds;
      if (kind === undefined) return;
      await scene.cause(kind);
      await vi.waitFor(() => expect(count(kind)).toBe(1), waitMs);
    });

    it("says nothing after it was stopped", async () => {
      await start();
      await scene.events.stop();
      const [kind] = kinds;
      if (kind !== undefined) await scene.cause(kind);
      await settle();
      expect(emitted).toEqual([]);
    });
  });
}

function expectWhole(event: SystemEvent): void {
  if ("session" in event) expect(event.session).not.toBe("");
  if ("path" in event) expect(event.path).toMatch(/^(\/|[A-Z]:\\|\\\\)/);
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settleMs));
}
