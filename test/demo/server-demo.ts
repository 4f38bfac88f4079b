/**
 * The part of the demo with a server: it gives a machine its policy, gets its backups through the gateway, hears of them
 * while it is there and later if it was not, and has them brought back.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { isFinalCommandState } from "../../protocol/control/command.ts";
import type { CommandAnswer, NewCommandsAnswer } from "../../protocol/management/commands.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { ReportedAnswer } from "../../protocol/management/sessions.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { DaemonScene, until } from "../daemon/daemon-scene.ts";
import { type PrivateBus, privateBusProblem, startPrivateBus } from "../dbus/private-bus.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import type { DemoS3 } from "./demo-s3.ts";
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
  /** What the gateway keeps its files in; undefined: its folder. */
  readonly s3: DemoS3 | undefined;
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
    if (this.#places.s3 !== undefined) await this.#giveAccount(this.#places.s3);
    await this.#story.step(
      "make a tenant, a repository, a group and a policy for the folder",
      "backstay-server apply -f fleet.yaml",
      async () => await this.#apply(`[${this.#gateway()}]`, everyThreeSeconds),
    );
    await this.#story.step(
      "give the repository a second way, for when the server is away: straight to where the gateway keeps its files",
      "backstay-server apply -f fleet.yaml",
      async () => await this.#apply(await this.#bothRoutes(), everyThreeSeconds),
    );
    await this.#story.step(
      "start the agent and enrol it with a token of the server",
      [
        "backstay-server token create demo --label demo=yes >token",
        "backstay enroll --token-file token",
      ],
      async () => await this.#enrol(),
    );
    await this.#story.step("see that it pulls its policy", "backstay policies", async () => {
      await until("the policy is in force", async () => {
        const { policies } = await this.#daemon.status();
        return policies.some(({ name }) => name === policyName);
      });
      return await this.#backstay("policies");
    });
  }

  async #runThreeWays(): Promise<void> {
    await this.#story.step("wait for its schedule", [], async () => {
      const session = await this.#daemon.session(({ cause }) => cause.kind === "schedule");
      return told(session);
    });
    await this.#story.step(
      "take the timer out of the policy: from now on only commands and events start runs",
      [
        "backstay-server apply -f fleet.yaml --at-once",
        "backstay sync      # it would hear of it within a minute",
      ],
      async () => {
        const text = await this.#apply(await this.#bothRoutes(), "events: [lock]");
        await this.#backstay("sync");
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
      `backstay-server command run ${policyName} --group everyone`,
      async () => await this.#runByCommand(),
    );
    await this.#story.step("lock a screen", [], async () => await this.#runByLock());
  }

  /** The server is away, and so is its gateway: the machine goes the other way, and reports later. */
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
        await this.#backstay("run", policyName, "--wait");
        alone = await this.#daemon.session();
        return `${told(alone)}\nthe way: ${alone.route ?? "unknown"}`;
      },
    );
    await this.#story.step(
      "start the server again: the report comes late, once",
      ["backstay-server serve --data DIR", "backstay sync"],
      async () => {
        await server.startReplica();
        await this.#backstay("sync");
        let count = 0;
        await until("the late report is there", async () => {
          const reports = await server
            .client()
            .list<ReportedAnswer>("/api/v1/sessions", { limit: 1000 });
          count = reports.filter(({ report }) => report["id"] === `session-${alone?.id}`).length;
          return count > 0;
        });
        return `the server has the report of session ${alone?.id} ${count === 1 ? "once" : `${count} times`}`;
      },
    );
    await this.#showBothSides("ask both sides again");
  }

  async #restore(): Promise<void> {
    const { restored } = this.#places;
    const command = `restore latest --policy ${policyName} --target ${restored}`;
    await this.#story.step("restore it on the machine", `backstay ${command}`, async () => {
      return await this.#backstay(...command.split(" "));
    });
  }

  async #showBothSides(title: string): Promise<void> {
    await this.#story.step(title, "backstay status", async () => {
      // Exit code 3: there is something to tell, such as that the second way was taken.
      const { exitCode, stdout, stderr } = await this.#daemon.cli(["status"]);
      if (exitCode !== 0 && exitCode !== 3)
        throw new Error(`backstay status: ${exitCode}\n${stderr}`);
      return stdout.trimEnd();
    });
    await this.#story.step(
      "and the server's view",
      ["backstay-server status", "backstay-server session list"],
      async () => {
        const server = this.#startedServer();
        const lines = [await server.succeed(["status"]), await server.succeed(["session", "list"])];
        return lines.join("\n").trimEnd();
      },
    );
  }

  /** A command of the agent; what it printed. */
  async #backstay(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#daemon.cli(args);
    if (exitCode !== 0)
      throw new Error(`backstay ${args.join(" ")}: exit code ${exitCode}\n${stderr}${stdout}`);
    return stdout.trimEnd();
  }

  /** The server learns the account of the storage, and whether the storage will do. */
  async #giveAccount({ address, secret: account, name }: DemoS3): Promise<void> {
    const server = this.#startedServer();
    const file = path.join(this.#places.folder, "s3-account");
    writeFileSync(file, account, { mode: 0o600 });
    await this.#story.step(
      "give it the account of the S3 server, and have that tested",
      [
        "backstay-server tenant create demo",
        "backstay-server secret set s3-account --file s3-account      # the server keeps this one to itself",
        "backstay-server secret set s3-machines --file s3-account     # machines get one of their own, here the same",
        `backstay-server repository test --url ${address} --secret s3-account`,
      ],
      async () => {
        await server.succeed(["tenant", "create", "demo"]);
        for (const secret of ["s3-account", "s3-machines"])
          await server.succeed(["secret", "set", secret, "--file", file]);
        const place = ["--url", `${address}/fleet`, "--secret", "s3-account"];
        return `${name}:\n${(await server.succeed(["repository", "test", ...place])).trimEnd()}`;
      },
    );
  }

  #gateway(): string {
    const { s3 } = this.#places;
    if (s3 === undefined) return "{ kind: gateway }";
    return `{ kind: gateway, storage: { url: "${s3.address}/fleet", secret: s3-account } }`;
  }

  /** The gateway, and the place where it puts what this machine sends. */
  async #bothRoutes(): Promise<string> {
    const { s3 } = this.#places;
    const server = this.#startedServer();
    const [repository] = await server.client().list<RepositoryAnswer>("/api/v1/repositories");
    const own = ["{tenant}", repository.id, "{agent}"];
    const direct =
      s3 === undefined
        ? { kind: "direct", url: path.join(server.data(), "repositories", ...own) }
        : { kind: "direct", url: [s3.address, "fleet", ...own].join("/"), secret: "s3-machines" };
    return `[${this.#gateway()}, ${JSON.stringify(direct)}]`;
  }

  async #apply(routes: string, schedule: string): Promise<string> {
    const server = this.#startedServer();
    const { source, exclude } = this.#places;
    const file = path.join(this.#places.folder, "fleet.yaml");
    const patterns = exclude.map((pattern) => JSON.stringify(pattern)).join(", ");
    writeFileSync(
      file,
      `kind: tenant
name: demo
---
kind: repository
name: main
routes: ${routes}
---
kind: group
name: everyone
selector: { kind: labels, labels: { demo: "*" } }
---
kind: policy
groups: [everyone]
document:
  version: 1
  name: ${policyName}
  source: { paths: [${JSON.stringify(source)}], exclude: [${patterns}] }
  destination: { repository: "backstay:main" }
  encryption: { password: { secret: automatic } }
  schedule: { ${schedule} }
`,
    );
    return (await server.succeed(["apply", "-f", file, "--at-once"])).trimEnd();
  }

  async #enrol(): Promise<string> {
    await this.#daemon.start();
    const create = ["token", "create", "demo", "--label", "demo=yes"];
    const file = this.#daemon.at("token");
    writeFileSync(file, await this.#startedServer().succeed(create), { mode: 0o600 });
    return await this.#backstay("enroll", "--token-file", file);
  }

  async #runByCommand(): Promise<string> {
    const server = this.#startedServer();
    const askedMs = Date.now();
    const sent = JSON.parse(
      await server.succeed(["--json", "command", "run", policyName, "--group", "everyone"]),
    ) as NewCommandsAnswer;
    const [{ id: commandId }] = sent.commands;
    let answer: CommandAnswer | undefined;
    await until("the command is done", async () => {
      const { body } = await server.client().get(`/api/v1/commands/${commandId}`);
      answer = body as CommandAnswer;
      return isFinalCommandState(answer.state);
    });
    const session = await this.#daemon.session(({ id }) => id === answer?.sessionId);
    const afterMs = (session.startedMs ?? session.queuedMs) - askedMs;
    return `${told(session)}\nit began ${afterMs} ms after the command; the server says: ${answer?.state}`;
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
