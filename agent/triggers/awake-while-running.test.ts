import { expect, it } from "vitest";
import { FakePower } from "../../platform/fake/fake-power.ts";
import { AwakeWhileRunning } from "./awake-while-running.ts";

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

it("keeps the machine awake once, however many sessions run, and lets it sleep after the last", async () => {
  const power = new FakePower();
  const awake = new AwakeWhileRunning(power, (error) => expect.unreachable(String(error)));
  awake.set(true);
  awake.set(true);
  await settled();
  expect(power.awakeFor).toEqual(["a backup is running"]);
  awake.set(false);
  await settled();
  expect(power.awakeFor).toEqual([]);
});

it("ends as it was asked last, however quickly that changed", async () => {
  const power = new FakePower();
  const awake = new AwakeWhileRunning(power, (error) => expect.unreachable(String(error)));
  awake.set(true);
  awake.set(false);
  awake.set(true);
  await settled();
  expect(power.awakeFor).toHaveLength(1);
  await awake.stop();
  expect(power.awakeFor).toEqual([]);
});

it("tells of a system that refuses, and asks again for the next run", async () => {
  const power = new FakePower();
  const failures: unknown[] = [];
  const awake = new AwakeWhileRunning(power, (error) => failures.push(error));
  power.failure = new Error("refused");
  awake.set(true);
  await settled();
  expect(failures).toHaveLength(1);
  power.failure = undefined;
  awake.set(false);
  awake.set(true);
  await settled();
  expect(power.awakeFor).toHaveLength(1);
});
