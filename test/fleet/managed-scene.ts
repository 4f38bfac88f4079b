/** A real server with a tenant, a repository and a policy, and beside it a real machine that may join. */
import path from "node:path";
import type { CommandOrder } from "../../protocol/control/command.ts";
import type { AgentAnswer } from "../../protocol/management/agents.ts";
import type { CommandAnswer, NewCommandsAnswer } from "../../protocol/management/commands.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { ReportedAnswer } from "../../protocol/management/sessions.ts";
import type { TenantBody } from "../../protocol/management/tenants.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { DaemonScene, type DaemonSceneOptions, until } from "../daemon/daemon-scene.ts";
import type { Outcome } from "../programs.ts";
import type { ServerScene } from "./server-scene.ts";

/** So that no names are equal. */
let made = 0;

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

  /** Makes a tenant of its own on a server that runs; the machine's daemon is not started. */
  static async make(
    server: ServerScene,
    tenant: Partial<TenantBody> = {},
    daemon: DaemonSceneOptions = {},
  ): Promise<ManagedScene> {
    made += 1;
    const post = async (kind: string, body: unknown): Promise<Thing> =>
      (await server.client().post(`/api/v1/${kind}`, body)).body as Thing;
    const { id: tenantId } = await post("tenants", { name: `Fleet ${made}`, ...tenant });
    const selector = { kind: "labels", labels: { of: "*" } };
    const { id: groupId } = await post("groups", { tenantId, name: "all", selector });
    const repository = { tenantId, name: "main", routes: [{ kind: "gateway" }] };
    const { id: repositoryId } = await post("repositories", repository);
    return new ManagedScene(server, new DaemonScene(daemon), { tenantId, groupId, repositoryId });
  }

  /** The server goes on. */
  async remove(): Promise<void> {
    await this.machine.remove();
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
    await this.setRoutes([{ kind: "gateway" }, { kind: "direct", url: this.gatewayFolder }]);
  }

  /** Gives the repository `main`, or another one, other routes. */
  async setRoutes(routes: readonly object[], id = this.repositoryId): Promise<void> {
    const place = `/api/v1/repositories/${id}`;
    const { etag, body } = await this.server.client().get(place);
    const { name, quotas } = body as RepositoryAnswer;
    await this.server.client().put(place, etag, { name, routes, quotas });
  }

  /** Gives a secret of the tenant a value, also in place of another. */
  async putSecret(name: string, value: string): Promise<void> {
    const { tenantId } = this;
    await this.server.client().post("/api/v1/secrets", { tenantId, name, value });
  }

  /** Makes the policy `documents` of the machine's source, for all machines; its id. */
  async addPolicy(
    settings: Readonly<Record<string, unknown>> = {},
    managedBy: "agent" | "server" = "agent",
  ): Promise<string> {
    const { tenantId, groupId } = this;
    const document = this.#document(settings);
    const body = { tenantId, document, managedBy, groupIds: [groupId] };
    return ((await this.server.client().post("/api/v1/policies", body)).body as Thing).id;
  }

  /** Changes it for all machines at once. */
  async changePolicy(id: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    const place = `/api/v1/policies/${id}`;
    const { etag } = await this.server.client().get(place);
    const document = this.#document(settings);
    const body = { document, groupIds: [this.groupId], waves: [] };
    await this.server.client().put(place, etag, body);
  }

  #document(settings: Readonly<Record<string, unknown>>): object {
    return {
      version: 1,
      name: "documents",
      source: { paths: [this.machine.at("source")] },
      destination: { repository: "backstay:main" },
      encryption: { password: { secret: "automatic" } },
      ...settings,
    };
  }

  async token(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
    made += 1;
    const { body } = await this.server.client().post("/api/v1/enrolment-tokens", {
      tenantId: this.tenantId,
      name: `machine ${made}`,
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

  /** Fetches what is newest on the server. */
  async sync(): Promise<void> {
    const { exitCode, stderr } = await this.machine.cli(["sync"]);
    if (exitCode !== 0) throw new Error(`sync: exit code ${exitCode}\n${stderr}`);
  }

  /** Runs the policy by hand; the session, which has ended well. */
  async run(policy = "documents"): Promise<SessionRecord> {
    const { exitCode, stdout, stderr } = await this.machine.cli(["run", policy, "--wait"]);
    if (exitCode !== 0) throw new Error(`run: exit code ${exitCode}\n${stderr}${stdout}`);
    return await this.machine.session();
  }

  async untilInForce(name = "documents"): Promise<void> {
    await until(`the policy ${name} is in force`, async () => {
      const { policies } = await this.machine.status();
      return policies.some((policy) => policy.name === name);
    });
  }

  /** The first machine, as the server knows it. */
  async agent(): Promise<AgentAnswer> {
    const [agent] = await this.agents();
    if (agent === undefined) throw new Error("the server knows no machine");
    return agent;
  }

  async agents(): Promise<readonly AgentAnswer[]> {
    const { tenantId } = this;
    return await this.server.client().list<AgentAnswer>("/api/v1/agents", { tenantId });
  }

  /** Has the machine do something; resolves with what became of it. */
  async command(order: CommandOrder): Promise<CommandAnswer> {
    return await this.ended(await this.send(order));
  }

  /** Has the newest snapshot of the policy restored into a folder of the machine. */
  async restore(target: string, policy = "documents"): Promise<CommandAnswer> {
    return await this.command({
      ...{ kind: "restore", policy, target },
      ...{ snapshot: "latest", paths: [], overwrite: "never" },
    });
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
    const { tenantId } = this;
    return await this.server.client().list<ReportedAnswer>("/api/v1/sessions", { tenantId });
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
}
