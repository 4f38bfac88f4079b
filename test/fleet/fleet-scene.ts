/** A real server and a real daemon beside each other: a tenant, a repository, policies, and the machine enrolled. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { AgentAnswer } from "../../protocol/management/agents.ts";
import { DaemonScene, type DaemonSceneOptions, until } from "../daemon/daemon-scene.ts";
import { ServerScene, type ServerSceneOptions } from "./server-scene.ts";

export interface FleetSceneOptions {
  readonly server?: ServerSceneOptions;
  readonly daemon?: DaemonSceneOptions;
}

export class FleetScene {
  readonly servers: ServerScene;
  readonly daemon: DaemonScene;

  private constructor(servers: ServerScene, daemon: DaemonScene) {
    this.servers = servers;
    this.daemon = daemon;
  }

  /** Starts both; the machine is not enrolled yet. */
  static async start({ server, daemon }: FleetSceneOptions = {}): Promise<FleetScene> {
    const servers = await ServerScene.start(server);
    const scene = new FleetScene(servers, new DaemonScene(daemon));
    await scene.daemon.start();
    return scene;
  }

  async remove(): Promise<void> {
    await this.daemon.remove();
    await this.servers.remove();
  }

  /** `backstay-server apply -f` with this text; what it printed. */
  async apply(yaml: string): Promise<string> {
    const file = path.join(this.servers.folder, "fleet.yaml");
    writeFileSync(file, yaml);
    return await this.servers.succeed(["apply", "-f", file]);
  }

  /** A token for one machine, as the server prints it. */
  async token(tenant: string, ...args: readonly string[]): Promise<string> {
    const create = ["token", "create", "machine", "--tenant", tenant];
    return (await this.servers.succeed([...create, ...args])).trim();
  }

  /** Enrols the machine through its command line; resolves with its id. */
  async enrol(token: string): Promise<string> {
    const file = this.daemon.at("enrolment-token");
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await this.daemon.cli(["enroll", "--token-file", file]);
    if (exitCode !== 0) throw new Error(`enroll: exit code ${exitCode}\n${stderr}${stdout}`);
    return (await this.agent()).id;
  }

  /** The machine as the server knows it. */
  async agent(): Promise<AgentAnswer> {
    const [agent] = await this.servers.client().list<AgentAnswer>("/api/v1/agents");
    if (agent === undefined) throw new Error("the server knows no machine");
    return agent;
  }

  async untilPolicyIsInForce(name: string): Promise<void> {
    await until(`the policy ${name} is in force`, async () => {
      const { policies } = await this.daemon.status();
      return policies.some((policy) => policy.name === name);
    });
  }
}
