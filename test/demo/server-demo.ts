/**
 * The part of the demo with a server: it gives a machine its policy, gets its backups through the gateway, hears of them
 * while it is there and later if it was not, and has them brought back.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { CommandAnswer, NewCommandsAnswer } from "../../protocol/management/commands.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { DaemonScene, until } from "../daemon/daemon-scene.ts";
import { type PrivateBus, privateBusProblem, startPrivateBus } from "../dbus/private-bus.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import type { Story } from "./story.ts";

export interface ServerDemoPlaces {
  readonly source: string;
  readonly exclude: readonly string[];
  /** Where everything of server and agent is made. */
  readonly folder: string;
  /** Where the restore goes. */
  readonly restored: string;
  /** Both are to go on after this process. */
  readonly keep: boolean;
}

const policyName = "folder";
const everyThreeSeconds = 'timers: [ { every: cron, expression: "*/3 * * * * *" } ]';

export class ServerDemo {
  readonly #places: ServerDemoPlaces;
  readonly #story: Story;
  readonly #bus: PrivateBus | undefined;
  readonly #daemon: DaemonScene;
  #server: ServerScene | undefined;

  private constructor(places: ServerDemoPlaces, story: Story, bus: PrivateBus | undefined) {
    this.#places = places;
    this.#story = story;
    this.#bus = bus;
    this.#daemon = new DaemonScene({
      parent: places.folder,
      ...(places.keep && { output: path.join(places.folder, "backstayd.log") }),
      ...(bus !== undefined && { environment: bus.environment }),
    });
  }

  /** Nothing has started yet, but a system bus of its own where the machine has the programs for that. */
  static async prepare(places: ServerDemoPlaces, story: Story): Promise<ServerDemo> {
    const canLock = !places.keep && privateBusProblem() === undefined;
    const bus = canLock ? await startPrivateBus("logind") : undefined;
    await bus?.addSession("c1", "ann");
    return new ServerDemo(places, story, bus);
  }

  /** Everything up to the restore. */
  async run(): Promise<void> {
    await this.#begin();
    await this.#runThreeWays();
    await this.#showBothSides("ask how it is, on both sides");
    await this.#runAlone();
    await this.#restore();
  }

  /** Ends everything by process id. */
  async remove(): Promise<void> {
    await this.#daemon.remove();
    await this.#server?.remove();
    await this.#bus?.stop();
  }

  /** How to go on with what is left running, and how to end it. */
  howToGoOn(): string[] {
    const server = this.#server;
    if (server === undefined) return [];
    const processes = [...server.processIds, this.#daemon.processId].join(" ");
    return [
      `export BACKSTAY_SERVER_DATA=${server.data()} BACKSTAY_HOME=${this.#daemon.home}`,
      "server/bin/backstay-server agent list      # the server's side; `help` lists its commands",
      "agent/bin/backstay status                  # the machine's side",
      `agent/bin/backstay run ${policyName} --wait`,
      `kill ${processes}; rm -r ${this.#places.folder}      # ends everything and removes it`,
    ];
  }

  async #begin(): Promise<void> {
    const { folder, keep } = this.#places;
    await this.#story.step(
      "start a management server with its gateway",
      "backstay-server serve --data DIR",
      async () => {
        this.#server = await ServerScene.start({
          parent: folder,
          ...(keep && { output: path.join(folder, "backstay-server.log") }),
        });
        return `process ${this.#server.processIds[0]} at ${this.#server.url()}, key ${this.#server.access().pin}`;
      },
    );
    await this.#story.step(
      "make a tenant, a repository and a policy for the folder",
      "backstay-server apply -f fleet.yaml",
      async () => await this.#apply(everyThreeSeconds),
    );
    await this.#story.step(
      "start the agent and enrol it with a token of the server",
      [
        "backstay-server enrolment-token create demo --tenant demo",
        "backstay enroll --token-file token",
      ],
      async () => await this.#enrol(),
    );
    await this.#story.step("see that it pulls its policy", "backstay policies", async () => {
      await until("the policy is in force", async () => {
        const { policies } = await this.#daemon.status();
        return policies.some(({ name }) => name === policyName);
      });
      return (await this.#daemon.cli(["policies"])).stdout.trimEnd();
    });
  }

  async #runThreeWays(): Promise<void> {
    await this.#story.step("wait for its schedule", [], async () => {
      const session = await this.#daemon.session(({ cause }) => cause.kind === "schedule");
      return told(session);
    });
    await this.#story.step(
      "take the timer out of the policy: from now on only commands and events start runs",
      "backstay-server apply -f fleet.yaml",
      async () => {
        const text = await this.#apply("events: [lock]");
        await until("the schedule is the new one", async () => {
          const { policies, running, waiting } = await this.#daemon.status();
          const isNew = policies[0]?.next.reason === "when a screen is locked";
          return isNew && running.length === 0 && waiting.length === 0;
        });
        return text;
      },
    );
    await this.#story.step(
      "have it run by a command of the server",
      `backstay-server command run ${policyName} --agent MACHINE`,
      async () => await this.#runByCommand(),
    );
    await this.#story.step("lock a screen", [], async () => await this.#runByLock());
  }

  /** The server is away, and so is its gateway: the machine goes the direct way, and reports later. */
  async #runAlone(): Promise<void> {
    const server = this.#startedServer();
    await this.#story.step("stop the server", [], async () => {
      return `exit code ${await server.endReplica()}`;
    });
    let alone: SessionRecord | undefined;
    await this.#story.step(
      "run again, without a server",
      `backstay run ${policyName} --wait`,
      async () => {
        await this.#daemon.cli(["run", policyName, "--wait"]);
        const session = await this.#daemon.session();
        alone = session;
        return told(session);
      },
    );
    await this.#story.step("start the server again: the report comes late, once", [], async () => {
      await server.startReplica();
      // The next try would be within minutes; nobody wants to wait for it here.
      await this.#daemon.cli(["sync"]);
      let count = 0;
      await until("the late report is there", async () => {
        const sessions = await server.client().list<{ id: string }>("/api/v1/sessions");
        count = sessions.filter(({ id }) => id === alone?.id).length;
        return count > 0;
      });
      return `the server has the report of session ${alone?.id} ${count === 1 ? "once" : `${count} times`}`;
    });
    await this.#showBothSides("ask both sides again");
  }

  async #restore(): Promise<void> {
    const { restored } = this.#places;
    const command = `restore latest --policy ${policyName} --target ${restored}`;
    await this.#story.step("restore it on the machine", `backstay ${command}`, async () => {
      const { exitCode, stdout, stderr } = await this.#daemon.cli(command.split(" "));
      if (exitCode !== 0) throw new Error(`restore ended with ${exitCode}: ${stderr}`);
      return stdout.trimEnd();
    });
  }

  async #showBothSides(title: string): Promise<void> {
    await this.#story.step(title, "backstay status", async () => {
      return (await this.#daemon.cli(["status"])).stdout.trimEnd();
    });
    await this.#story.step("and the server's view", "backstay-server session list", async () => {
      return (await this.#startedServer().succeed(["session", "list"])).trimEnd();
    });
  }

  async #apply(schedule: string): Promise<string> {
    const server = this.#startedServer();
    const { source, exclude } = this.#places;
    const patterns = exclude.map((pattern) => JSON.stringify(pattern)).join(", ");
    const file = path.join(this.#places.folder, "fleet.yaml");
    writeFileSync(
      file,
      `tenants: [{ name: demo }]
schedule: { ${schedule} }
source: { paths: [${JSON.stringify(source)}], exclude: [${patterns}] }
`,
    );
    return (await server.succeed(["apply", "-f", file])).trimEnd();
  }

  async #enrol(): Promise<string> {
    const server = this.#startedServer();
    await this.#daemon.start();
    const made = await server.succeed([
      "--json",
      "enrolment-token",
      "create",
      "demo",
      "--tenant",
      "demo",
    ]);
    const file = this.#daemon.at("token");
    writeFileSync(file, (JSON.parse(made) as { token: string }).token, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await this.#daemon.cli(["enroll", "--token-file", file]);
    if (exitCode !== 0) throw new Error(`enroll ended with ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  async #runByCommand(): Promise<string> {
    const client = this.#startedServer().client();
    const [agent] = await client.list<{ id: string }>("/api/v1/agents");
    const askedMs = Date.now();
    const order = { kind: "run", policy: policyName, cause: "manual" };
    const { body } = await client.post("/api/v1/commands", { agentId: agent?.id, order });
    const [command] = (body as NewCommandsAnswer).commands;
    let answer: CommandAnswer = command;
    await until("the command is done", async () => {
      answer = (await client.get(`/api/v1/commands/${command.id}`)).body as CommandAnswer;
      return ["succeeded", "failed", "rejected", "expired"].includes(answer.state);
    });
    const session = await this.#daemon.session(({ id }) => id === answer.sessionId);
    const afterMs = (session.startedMs ?? session.queuedMs) - askedMs;
    return `${told(session)}\nit began ${afterMs} ms after the command; the server says: ${answer.state}`;
  }

  /** Locks a screen, as far as logind's signals go. */
  async #runByLock(): Promise<string> {
    if (this.#bus === undefined)
      return `left out: ${this.#places.keep ? "with --keep" : privateBusProblem()}`;
    const lockedMs = Date.now();
    await this.#bus.setLocked("c1", true);
    const session = await this.#daemon.session(({ cause }) => cause.kind === "event");
    const afterMs = (session.startedMs ?? session.queuedMs) - lockedMs;
    return `${told(session)}\nit began ${afterMs} ms after the lock`;
  }

  #startedServer(): ServerScene {
    if (this.#server === undefined) throw new Error("the server has not started");
    return this.#server;
  }
}

function told({ outcome, cause, startedMs = 0, finishedMs = 0, issues }: SessionRecord): string {
  const seconds = ((finishedMs - startedMs) / 1000).toFixed(1);
  const warnings = issues > 0 ? `, ${issues} warnings` : "";
  return `${outcome} in ${seconds} s${warnings}: ${cause.text}`;
}
