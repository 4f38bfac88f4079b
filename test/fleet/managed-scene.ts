/** A real server with a tenant, a repository and a policy, and beside it a real machine that may join. */
import path from "node:path";
import type { CommandOrder } from "../../protocol/control/command.ts";
import type { AgentAnswer } from "../../protocol/management/agents.ts";
import type { CommandAnswer, NewCommandsAnswer } from "../../protocol/management/commands.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { ReportedAnswer } from "../../protocol/management/sessions.ts";
import type { TenantAnswer, TenantBody } from "../../protocol/management/tenants.ts";
import { DaemonScene, type DaemonSceneOptions, until } from "../daemon/daemon-scene.ts";
import type { Outcome } from "../programs.ts";
import { ServerScene } from "./server-scene.ts";

interface Thing {
  readonly id: string;
}

export class ManagedScene {
  readonly server: ServerScene;
  readonly machine: DaemonScene;
  readonly tenantId: string;
  readonly groupId: string;
  readonly repositoryId: string;

  private constructor(
    server: ServerScene,
    machine: DaemonScene,
    ids: { readonly tenantId: string; readonly groupId: string; readonly repositoryId: string },
  ) {
    this.server = server;
    this.machine = machine;
    this.tenantId = ids.tenantId;
    this.groupId = ids.groupId;
    this.repositoryId = ids.repositoryId;
  }

  /** Starts the server and fills it; the machine's daemon is not started. */
  static async start(
    tenant: Partial<TenantBody> = {},
    daemon: DaemonSceneOptions = {},
  ): Promise<ManagedScene> {
    const server = await ServerScene.start();
    const post = async (kind: string, body: unknown): Promise<Thing> =>
      (await server.client().post(`/api/v1/${kind}`, body)).body as Thing;
    try {
      const { id: tenantId } = await post("tenants", { name: "Fleet", ...tenant });
      const group = { tenantId, name: "all", selector: { kind: "labels", labels: { of: "*" } } };
      const { id: groupId } = await post("groups", group);
      const repository = { tenantId, name: "main", routes: [{ kind: "gateway" }] };
      const { id: repositoryId } = await post("repositories", repository);
      const ids = { tenantId, groupId, repositoryId };
      return new ManagedScene(server, new DaemonScene(daemon), ids);
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.machine.remove();
    await this.server.remove();
  }

  /** Folder in which the gateway keeps the machine's repository: `{tenant}` and `{agent}` in it stand for ids. */
  get gatewayFolder(): string {
    const parts = [this.tenantId, this.repositoryId].map((id) =>
      id === this.tenantId ? "{tenant}" : id,
    );
    return path.join(this.server.data(), "repositories", ...parts, "{agent}");
  }

  /** Lets machines reach the gateway's folder also directly. */
  async addDirectRoute(): Promise<void> {
    const place = `/api/v1/repositories/${this.repositoryId}`;
    const { etag, body } = await this.server.client().get(place);
    const routes = [{ kind: "gateway" }, { kind: "direct", url: this.gatewayFolder }];
    const { name, quotas } = body as RepositoryAnswer;
    await this.server.client().put(place, etag, { name, routes, quotas });
  }

  /** Makes the policy `documents` of the machine's source, for all machines; its id. */
  async addPolicy(
    settings: Readonly<Record<string, unknown>> = {},
    managedBy: "agent" | "server" = "agent",
  ): Promise<string> {
    const document = {
      version: 1,
      name: "documents",
      source: { paths: [this.machine.at("source")] },
      destination: { repository: "backstay:main" },
      encryption: { password: { secret: "automatic" } },
      ...settings,
    };
    const { tenantId, groupId } = this;
    const body = { tenantId, document, managedBy, groupIds: [groupId] };
    return ((await this.server.client().post("/api/v1/policies", body)).body as Thing).id;
  }

  async token(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { body } = await this.server.client().post("/api/v1/enrolment-tokens", {
      tenantId: this.tenantId,
      name: "machine",
      labels: { of: "fleet" },
      expiresMs: Date.now() + 86_400_000,
      ...settings,
    });
    return (body as { token: string }).token;
  }

  /** `backstay enroll`, the token on its standard input. */
  async enroll(token: string, ...args: readonly string[]): Promise<Outcome> {
    return await this.machine.cli(["enroll", ...args, "-"], token);
  }

  /** Starts the machine's daemon, enrols it, and waits until the policy is in force. */
  async join(): Promise<void> {
    await this.machine.start();
    const { exitCode, stdout, stderr } = await this.enroll(await this.token());
    if (exitCode !== 0) throw new Error(`enroll: exit code ${exitCode}\n${stderr}${stdout}`);
    await this.untilInForce();
  }

  async untilInForce(name = "documents"): Promise<void> {
    await until(`the policy ${name} is in force`, async () => {
      const { policies } = await this.machine.status();
      return policies.some((policy) => policy.name === name);
    });
  }

  /** The only machine, as the server knows it. */
  async agent(): Promise<AgentAnswer> {
    const [agent] = await this.server.client().list<AgentAnswer>("/api/v1/agents");
    if (agent === undefined) throw new Error("the server knows no machine");
    return agent;
  }

  /** Has the machine do something; resolves with what became of it. */
  async command(order: CommandOrder): Promise<CommandAnswer> {
    return await this.ended(await this.send(order));
  }

  /** Id of the command. */
  async send(order: CommandOrder): Promise<string> {
    const { id: agentId } = await this.agent();
    const { body } = await this.server.client().post("/api/v1/commands", { agentId, order });
    const [command] = (body as NewCommandsAnswer).commands;
    return command.id;
  }

  async ended(id: string): Promise<CommandAnswer> {
    const final = ["succeeded", "failed", "rejected", "expired", "canceled"];
    let answer: CommandAnswer | undefined;
    await until("the command is done", async () => {
      answer = (await this.server.client().get(`/api/v1/commands/${id}`)).body as CommandAnswer;
      return final.includes(answer.state);
    });
    if (answer === undefined) throw new Error("unreachable");
    return answer;
  }

  /** Reports that the server has. */
  async reports(): Promise<readonly ReportedAnswer[]> {
    return await this.server.client().list<ReportedAnswer>("/api/v1/sessions", { limit: 500 });
  }

  /** The report of a session, once the server has it. */
  async report(sessionId: string): Promise<ReportedAnswer> {
    let found: ReportedAnswer | undefined;
    await until("the server has the report", async () => {
      found = (await this.reports()).find(({ report }) => report["id"] === `session-${sessionId}`);
      return found !== undefined;
    });
    if (found === undefined) throw new Error("unreachable");
    return found;
  }

  async tenant(): Promise<TenantAnswer> {
    return (await this.server.client().get(`/api/v1/tenants/${this.tenantId}`))
      .body as TenantAnswer;
  }
}
