import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PrivateBus } from "../../test/dbus/private-bus.ts";
import { describeWithPrivateBus } from "../../test/dbus/with-private-bus.ts";
import { DbusWatch } from "./dbus-watch.ts";

const waitMs = 10_000;

describeWithPrivateBus("a watch on a bus", () => {
  let bus: PrivateBus;
  let seen: string[];
  let watch: DbusWatch;

  beforeEach(() => {
    bus = new PrivateBus(mkdtempSync(join(tmpdir(), "backstay-bus-")));
    seen = [];
    const rules = ["type='signal',sender='org.freedesktop.login1',member='PrepareForSleep'"];
    watch = new DbusWatch(
      bus.address,
      {
        rules,
        connected: () => {
          seen.push("connected");
          return Promise.resolve();
        },
        signal: ({ body }) => seen.push(`sleep ${String(body[0])}`),
        disconnected: () => seen.push("disconnected"),
      },
      20,
    );
  });
  afterEach(async () => {
    await watch.stop();
    await bus.stop();
  });

  const until = (last: string): Promise<void> =>
    vi.waitFor(() => expect(seen.at(-1)).toBe(last), waitMs);

  it("begins when the bus comes, and again whenever it comes back", async () => {
    expect(await watch.start()).toMatchObject({ code: "ENOENT" });
    for (let round = 0; round < 2; round += 1) {
      await bus.start("logind");
      await until("connected");
      await bus.prepareForSleep(true);
      await until("sleep true");
      await bus.stopDaemon();
      await until("disconnected");
    }
    const round = ["connected", "sleep true", "disconnected"];
    expect(seen).toEqual([...round, ...round]);
  });

  it("says nothing any more once it was stopped", async () => {
    await bus.start("logind");
    expect(await watch.start()).toBe(undefined);
    await watch.stop();
    await bus.prepareForSleep(true);
    await bus.stopDaemon();
    await bus.start();
    expect(seen).toEqual(["connected", "disconnected"]);
  });
});
