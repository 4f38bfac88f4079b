/** What every adapter of service control does, as tests on a process of its own. */
import { describe, expect, it } from "vitest";
import type { ServiceControl, ServiceRequest } from "./service-control.ts";

/** Nodes start slowly on a busy machine. */
const patience = { timeout: 15_000 };

/** A running `test/notified-process/obedient-service.ts`. */
export interface ObedientService {
  /** What it printed so far, line by line. */
  lines(): readonly string[];
  /** Wants something of it, as its manager does. */
  ask(request: ServiceRequest): Promise<void>;
  /** Resolves when it has ended. */
  readonly exitCode: Promise<number | null>;
}

/** Declares the suite for one adapter; `start` starts the service. */
export function describeServiceControl(
  name: string,
  kind: ServiceControl["kind"],
  start: () => Promise<ObedientService>,
): void {
  describe(`${name} as service control`, () => {
    it("knows who started it, tells wishes each time, and ends when it says so", async () => {
      const service = await start();
      await expect.poll(() => service.lines().length, patience).toBe(1);
      expect(JSON.parse(service.lines()[0])).toMatchObject({ kind, childVariables: [] });
      await service.ask("reload");
      await expect.poll(() => service.lines().slice(1), patience).toEqual(["reload"]);
      await service.ask("reload");
      await expect.poll(() => service.lines().slice(1), patience).toEqual(["reload", "reload"]);
      await service.ask("stop");
      expect(await service.exitCode).toBe(0);
      expect(service.lines().slice(1)).toEqual(["reload", "reload", "stop"]);
    });
  });
}
