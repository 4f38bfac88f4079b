/** The part of the demo with a daemon: a policy for the folder, runs by schedule and by event, its status. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { DaemonScene } from "../daemon/daemon-scene.ts";
import { type PrivateBus, privateBusProblem, startPrivateBus } from "../dbus/private-bus.ts";

export interface DaemonDemoPlaces {
  readonly source: string;
  /** Holds a repository already, or will. */
  readonly repository: string;
  readonly passwordFile: string;
  /** Where the daemon's home is made. */
  readonly folder: string;
  readonly exclude: readonly string[];
}

const policyName = "folder";

export class DaemonDemo {
  readonly #places: DaemonDemoPlaces;
  readonly #scene: DaemonScene;
  readonly #bus: PrivateBus | undefined;

  private constructor(places: DaemonDemoPlaces, bus: PrivateBus | undefined) {
    this.#places = places;
    this.#bus = bus;
    this.#scene = new DaemonScene({
      parent: places.folder,
      ...(bus !== undefined && { environment: bus.environment }),
    });
  }

  /** A daemon that has not started yet, and a system bus of its own where the machine has the programs for that. */
  static async prepare(places: DaemonDemoPlaces): Promise<DaemonDemo> {
    const bus = privateBusProblem() === undefined ? await startPrivateBus("logind") : undefined;
    await bus?.addSession("c1", "ann");
    return new DaemonDemo(places, bus);
  }

  async start(): Promise<string> {
    await this.#scene.storeSecret(
      "repository",
      readFileSync(this.#places.passwordFile, "utf8").trim(),
    );
    this.#writePolicy('timers: [ { every: cron, expression: "*/3 * * * * *" } ]');
    await this.#scene.start();
    const { policies, agent } = await this.#scene.status();
    return `process ${agent.processId}, policy ${policies[0]?.name}: ${policies[0]?.next.reason}`;
  }

  async runBySchedule(): Promise<string> {
    const session = await this.#scene.session();
    // From now on only events start runs; the daemon sees the change by itself.
    this.#writePolicy("events: [lock]");
    return told(session);
  }

  /** Locks a screen, as far as logind's signals go. Undefined if the machine can't play that. */
  async runByEvent(): Promise<string> {
    if (this.#bus === undefined) return `left out: ${privateBusProblem()}`;
    while ((await this.#scene.status()).policies[0]?.next.reason !== "when a screen is locked")
      await new Promise((resolve) => setTimeout(resolve, 50));
    while ((await this.#scene.status()).running.length > 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const lockedMs = Date.now();
    await this.#bus.setLocked("c1", true);
    const session = await this.#scene.session(({ cause }) => cause.kind === "event");
    const afterMs = (session.startedMs ?? session.queuedMs) - lockedMs;
    return `${told(session)}\nit began ${afterMs} ms after the lock`;
  }

  async status(): Promise<string> {
    return (await this.#scene.cli(["status"])).stdout.trimEnd();
  }

  async sessions(): Promise<string> {
    return (await this.#scene.cli(["sessions"])).stdout.trimEnd();
  }

  async end(): Promise<string> {
    const exitCode = await this.#scene.end();
    await this.#bus?.stop();
    return `exit code ${exitCode}`;
  }

  async remove(): Promise<void> {
    await this.#scene.remove();
    await this.#bus?.stop();
  }

  #writePolicy(schedule: string): void {
    const { source, repository, exclude } = this.#places;
    const patterns = exclude.map((pattern) => JSON.stringify(pattern)).join(", ");
    const text = [
      "version: 1",
      `name: ${policyName}`,
      "kind: server",
      `source: { paths: [${JSON.stringify(source)}], exclude: [${patterns}] }`,
      `destination: { repository: ${JSON.stringify(repository)} }`,
      "encryption: { password: { secret: repository } }",
      `schedule: { ${schedule} }`,
    ];
    const file = path.join(this.#scene.home, "config", "policies", `${policyName}.yaml`);
    writeFileSync(file, `${text.join("\n")}\n`);
  }
}

function told({ outcome, cause, startedMs = 0, finishedMs = 0, issues }: SessionRecord): string {
  const seconds = ((finishedMs - startedMs) / 1000).toFixed(1);
  const warnings = issues > 0 ? `, ${issues} warnings` : "";
  return `${outcome} in ${seconds} s${warnings}: ${cause.text}`;
}
