/** What a server is given for a fleet of played machines: a tenant, a repository, a group of all, a policy, a token to enrol. */

import type { EnrolmentToken } from "../../protocol/control/enrolment.ts";
import { parseEnrolmentToken } from "../../protocol/control/enrolment-token.ts";
import type { ReportedAnswer } from "../../protocol/management/sessions.ts";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import type { ManagementClient } from "../../server/cli/management-client.ts";

interface Thing {
  readonly id: string;
}

/** A policy of the swarm; `tag` tells which of its versions a machine has. */
function swarmPolicy(tag: string): PolicyDocument {
  return {
    version: 1,
    name: "documents",
    source: { paths: ["/srv/documents", "/srv/mail"] },
    destination: { repository: "backstay:main" },
    encryption: { password: { secret: "automatic" } },
    schedule: { timers: [{ every: "day", at: "20:00" }], events: ["lock"] },
    tags: [tag],
  };
}

interface FleetIds {
  readonly tenantId: string;
  readonly policyId: string;
  readonly groupId: string;
}

export class ServedFleet {
  readonly tenantId: string;
  readonly #client: () => ManagementClient;
  readonly #ids: FleetIds;

  private constructor(client: () => ManagementClient, ids: FleetIds) {
    this.tenantId = ids.tenantId;
    this.#client = client;
    this.#ids = ids;
  }

  /** `client` is asked anew for each call, as a server that was started again has another token. */
  static async make(client: () => ManagementClient, tag: string): Promise<ServedFleet> {
    const post = async (path: string, body: unknown): Promise<Thing> =>
      (await client().post(`/api/v1/${path}`, body)).body as Thing;
    const { id: tenantId } = await post("tenants", { name: "Swarm" });
    const group = await post("groups", {
      tenantId,
      name: "all of them",
      selector: { kind: "labels", labels: { swarm: "*" } },
    });
    await post("repositories", {
      tenantId,
      name: "main",
      routes: [{ kind: "gateway" }],
    });
    const policy = await post("policies", {
      tenantId,
      document: swarmPolicy(tag),
      groupIds: [group.id],
    });
    return new ServedFleet(client, { tenantId, policyId: policy.id, groupId: group.id });
  }

  async token(uses: number): Promise<EnrolmentToken> {
    const { body } = await this.#client().post("/api/v1/enrolment-tokens", {
      tenantId: this.tenantId,
      name: "swarm",
      usesMax: uses,
      labels: { swarm: "yes" },
      expiresMs: Date.now() + 86_400_000,
    });
    return parseEnrolmentToken((body as { token: string }).token);
  }

  /** Changes the policy of all machines at once, without waves. */
  async changePolicy(tag: string): Promise<void> {
    const { policyId, groupId } = this.#ids;
    const path = `/api/v1/policies/${policyId}`;
    const { etag } = await this.#client().get(path);
    const body = { document: swarmPolicy(tag), groupIds: [groupId], waves: [] };
    await this.#client().put(path, etag, body);
  }

  /** Id of the command. */
  async command(agentId: string): Promise<string> {
    const order = { kind: "run", policy: "documents", cause: "manual" };
    const { body } = await this.#client().post("/api/v1/commands", { agentId, order });
    const [command] = (body as { commands: Thing[] }).commands;
    return command.id;
  }

  async commandState(id: string): Promise<string> {
    const { body } = await this.#client().get(`/api/v1/commands/${id}`);
    return (body as { state: string }).state;
  }

  /** Commands that have not ended. */
  async openCommands(): Promise<{ readonly id: string; readonly state: string }[]> {
    const open: { id: string; state: string }[] = [];
    for (const state of ["queued", "accepted", "running"]) {
      const query = { tenantId: this.tenantId, state };
      open.push(
        ...(await this.#client().list<{ id: string; state: string }>("/api/v1/commands", query)),
      );
    }
    return open;
  }

  /** Ids of all reports that the server has; one that it has twice is here twice. */
  async reportIds(): Promise<string[]> {
    const reports = await this.#client().list<ReportedAnswer>("/api/v1/sessions", {
      tenantId: this.tenantId,
      limit: 1000,
    });
    return reports.map(({ report }) => String(report["id"]));
  }
}
