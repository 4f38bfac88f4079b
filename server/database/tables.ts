/**
 * The tables of the server, the same in SQLite and PostgreSQL. Ids are UUIDv7 as text, moments ms since 1970, truth
 * values 0 or 1, JSON is text. Every row of a tenant names it. `version` rises with each change: it is the ETag.
 */
import type { Generated } from "kysely";

type Flag = 0 | 1;

export interface Tables {
  /** One row: what the data of this server is. */
  server_facts: { name: string; value: string };
  /** Keys of the server, private halves sealed with the master key; `sealed` null: kept offline. */
  signing_keys: {
    id: string;
    role: "root" | "policy" | "destination";
    public_key: string;
    sealed: string | null;
    state: "active" | "retired";
    created_ms: number;
  };
  tenants: {
    id: string;
    name: string;
    /** JSON: agentsMax, storedBytesMax, storedBytesWarn. */
    quotas: string;
    /** After that nothing is taken from its machines any more; null: without end. */
    lease_until_ms: number | null;
    /** JSON { id, key } of its recovery key, or null. */
    recovery_key: string | null;
    /** Rises with each change that may alter a bundle of it. */
    revision: number;
    created_ms: number;
    version: number;
  };
  api_tokens: {
    id: string;
    name: string;
    /** Null: every tenant. */
    tenant_id: string | null;
    role: "admin" | "operator" | "read-only";
    secret_hash: string;
    created_ms: number;
    expires_ms: number | null;
    revoked_ms: number | null;
    last_used_ms: number | null;
    version: number;
  };
  audit: {
    sequence: Generated<number>;
    time_ms: number;
    tenant_id: string | null;
    /** `token:<id>`, `agent:<id>`, `server`. */
    actor: string;
    action: string;
    target: string;
    /** JSON without secrets. */
    details: string;
    previous_hash: string;
    hash: string;
  };
  idempotency_keys: {
    key: string;
    /** Who used it. */
    actor: string;
    request_hash: string;
    /** Null while the first request is under way. */
    status: number | null;
    body: string | null;
    created_ms: number;
  };
  groups: {
    id: string;
    tenant_id: string;
    name: string;
    kind: "static" | "labels" | "names";
    /** JSON: {} | { labels } | { names } (of a CSV file). */
    selector: string;
    created_ms: number;
    version: number;
  };
  group_members: { group_id: string; agent_id: string };
  enrolment_tokens: {
    id: string;
    tenant_id: string;
    name: string;
    public_key: string;
    group_id: string | null;
    /** JSON. */
    labels: string;
    uses_max: number;
    uses: number;
    expires_ms: number;
    /** JSON: CIDR blocks, empty: anywhere. */
    networks: string;
    needs_approval: Flag;
    /** The machine that is to take its place again (history, repository). */
    agent_id: string | null;
    revoked_ms: number | null;
    created_ms: number;
    version: number;
  };
  enrolment_requests: {
    id: string;
    tenant_id: string;
    token_id: string | null;
    /** Thumbprint of the identity key: with the token it makes repeating harmless. */
    identity_key: string;
    sealing_key: string;
    /** JSON of the request, without the proof. */
    request: string;
    /** Set for a clone that asks for an identity of its own. */
    forked_from: string | null;
    state: "pending" | "approved" | "denied";
    agent_id: string | null;
    created_ms: number;
    decided_ms: number | null;
    decided_by: string | null;
    version: number;
  };
  agents: {
    id: string;
    tenant_id: string;
    name: string;
    kind: "workstation" | "server";
    /** JSON. */
    labels: string;
    status: "active" | "suspended" | "revoked";
    identity_key: string;
    sealing_key: string;
    installation_id: string;
    /** JSON, as enrolled. */
    fingerprint: string;
    enrolled_ms: number;
    /** Rises with each enrolment of the same machine. */
    generation: number;
    created_ms: number;
    version: number;
  };
  /** What changes often; written in batches. */
  agent_live: {
    agent_id: string;
    last_seen_ms: number;
    run_id: string;
    address: string;
    /** JSON of AgentStatus, or null before the first. */
    status: string | null;
    status_ms: number | null;
    accepted_serial: number | null;
    health: string;
    version: string;
  };
  /** Starts of an agent that were heard of lately: two that take turns are two machines. */
  agent_runs: {
    agent_id: string;
    run_id: string;
    /** JSON, as the machine was then. */
    fingerprint: string;
    address: string;
    first_seen_ms: number;
    last_seen_ms: number;
    /** When it was heard of again after a later run had been; null: it was not. */
    resumed_ms: number | null;
  };
  /** Signed requests that were taken, for as long as their time would be accepted. */
  request_nonces: { nonce: string; expires_ms: number };
  identity_conflicts: {
    id: string;
    tenant_id: string;
    agent_id: string;
    /** JSON: the fingerprints and runs that were seen. */
    evidence: string;
    state: "open" | "forked" | "dismissed";
    created_ms: number;
    updated_ms: number;
  };
  repositories: {
    id: string;
    tenant_id: string;
    name: string;
    /** JSON: list of routes as the API takes them. */
    routes: string;
    /** JSON: list of RetiringRoute. */
    retiring: Generated<string>;
    /** JSON: names of the repositories that a pool consists of; empty for a repository with routes of its own. */
    members: Generated<string>;
    /** JSON of RepositoryModes. */
    modes: Generated<string>;
    /** Rises with each change of them; 0: nothing was ever decided. */
    stand_number: Generated<number>;
    /** JSON: per machine storedBytesMax, storedBytesWarn. */
    quotas: string;
    epoch: number;
    /** JWS of the destination document; null until it is signed (key kept offline). */
    destination: string | null;
    /** The change that still awaits its signature, JSON, or null. */
    unsigned: string | null;
    created_ms: number;
    version: number;
  };
  /** Secrets of a tenant by name, sealed with the master key. */
  secrets: {
    id: string;
    tenant_id: string;
    name: string;
    sealed: string;
    /** JSON: values of before, newest first, each sealed likewise; for password changes. */
    previous_sealed: string | null;
    created_ms: number;
    version: number;
  };
  /** What belongs to one machine in one repository: its account at the gateway, its password, what it stores. */
  machine_repositories: {
    agent_id: string;
    repository_id: string;
    tenant_id: string;
    /** SHA-256 of the gateway password, hex. */
    gateway_hash: string;
    /** Sealed with the master key. */
    gateway_sealed: string;
    password_sealed: string;
    /** As in `secrets`. */
    previous_password_sealed: string | null;
    stored_bytes: number;
    stored_objects: number;
    /** Of the destination that the machine goes by; 0: its bundle names the repository no more; null: it has not said. */
    obeyed_epoch: number | null;
    /** Number of the stand that its new sessions obey. */
    obeyed_stand: number | null;
    /** Its sessions run there, as it said last. */
    is_busy: Generated<Flag>;
    /** Number of the stand that lies in its storage. */
    stored_stand: Generated<number>;
    created_ms: number;
  };
  /** Which member of a pool a machine stores in: chosen once; the highest generation is for new backups. */
  placements: {
    agent_id: string;
    /** Of the pool. */
    pool_id: string;
    generation: number;
    tenant_id: string;
    /** The member. */
    repository_id: string;
    created_ms: number;
  };
  /** What the last test of a repository's places has found. */
  repository_tests: {
    repository_id: string;
    tested_ms: number;
    /** JSON: list of TestedPlace. */
    places: string;
  };
  /** Files of the gateway that are about to appear or to go. */
  gateway_changes: {
    repository_id: string;
    agent_id: string;
    /** Its path in the repository. */
    file: string;
    tenant_id: string;
    file_type: string;
    file_name: string;
    /** What is counted for it. */
    size_bytes: number;
    /** The process that is at it; empty: none, somebody has to look. */
    holder: string;
  };
  policies: {
    id: string;
    tenant_id: string;
    name: string;
    /** JSON of a PolicyDocument. */
    document: string;
    managed_by: "agent" | "server";
    /** JSON: tolerance and so on of server-managed runs that were missed. */
    server_schedule: string;
    policy_version: number;
    /** JSON of the rollout's stand, or null: everybody has the version. */
    rollout: string | null;
    /** What machines have that the rollout has not reached; null: nothing. */
    previous_document: string | null;
    previous_version: number | null;
    /** JSON: names of secrets that were its password before, newest first. */
    former_passwords: Generated<string>;
    created_ms: number;
    version: number;
  };
  policy_assignments: {
    policy_id: string;
    group_id: string | null;
    agent_id: string | null;
    tenant_id: string;
  };
  bundles: {
    agent_id: string;
    tenant_id: string;
    serial: number;
    /** Of what it means, without what is random in sealing. */
    content_hash: string;
    /** ETag: SHA-256 of the JWS. */
    hash: string;
    jws: string;
    /** The tenant's revision that it was compiled for. */
    revision: number;
    created_ms: number;
  };
  /** That a machine is to back up less, or nothing: said by people, and over with the next change of its policies. */
  agent_intents: {
    agent_id: string;
    tenant_id: string;
    intent: "pause" | "stop";
    /** Of the policies that it was first compiled with; null before. */
    policies_hash: string | null;
    created_ms: number;
  };
  /** The machines that a rollout has reached, as they were before. */
  rollout_members: {
    rollout_id: string;
    agent_id: string;
    /** It refused its bundle already. */
    is_refusing: Flag;
    outcome: string | null;
    bytes_selected: number | null;
    last_seen_ms: number | null;
    joined_ms: number;
  };
  commands: {
    id: string;
    tenant_id: string;
    agent_id: string;
    kind: string;
    /** JSON. */
    order: string;
    jws: string;
    state: string;
    /** JSON of CommandProgress, or null. */
    progress: string | null;
    created_by: string;
    created_ms: number;
    expires_ms: number;
    updated_ms: number;
    /** Slot of the server's schedule that it stands for, unique for its policy and machine. */
    slot: string | null;
  };
  command_uploads: {
    command_id: string;
    tenant_id: string;
    file: string;
    size_bytes: number;
    created_ms: number;
  };
  reports: {
    agent_id: string;
    id: string;
    tenant_id: string;
    kind: string;
    time_ms: number;
    received_ms: number;
    policy: string;
    outcome: string;
    /** JSON. */
    body: string;
  };
  /** Of each machine and policy, by the server's own view. */
  protection: {
    agent_id: string;
    policy: string;
    tenant_id: string;
    last_good_ms: number | null;
    last_outcome: string | null;
    last_ended_ms: number | null;
    maximum_age_ms: number;
    since_ms: number;
    overdue_since_ms: number | null;
    bytes_selected: number | null;
    policy_version: number | null;
  };
  licences: { id: string; jws: string; installed_ms: number; version: number };
  escrow: {
    id: string;
    tenant_id: string;
    agent_id: string;
    repository_id: string;
    recovery_key_id: string;
    key_name: string;
    sealed: string;
    created_ms: number;
  };
  /** What only one replica does at a time. */
  leases: { name: string; holder: string; until_ms: number };
}
