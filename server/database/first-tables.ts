/**
 * The first migration: every table of tables.ts. Written once for both databases: `integer` is 64 bits wide and `text` is
 * ordered by its bytes in both (see migrations.ts). What is shared by all machines refers to its tenant, what lives and
 * dies with its machine goes with it; passwords, reports and escrow outlive their machine, as its backups do.
 */

const tenantsAndAccess = `
  CREATE TABLE server_facts (name text PRIMARY KEY, value text NOT NULL);
  CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    role text NOT NULL,
    public_key text NOT NULL,
    sealed text,
    state text NOT NULL,
    created_ms integer NOT NULL
  );
  CREATE TABLE tenants (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    quotas text NOT NULL,
    lease_until_ms integer,
    recovery_key text,
    revision integer NOT NULL,
    created_ms integer NOT NULL,
    version integer NOT NULL
  );
  CREATE TABLE api_tokens (
    id text PRIMARY KEY,
    name text NOT NULL,
    tenant_id text REFERENCES tenants (id) ON DELETE CASCADE,
    role text NOT NULL,
    secret_hash text NOT NULL,
    created_ms integer NOT NULL,
    expires_ms integer,
    revoked_ms integer,
    last_used_ms integer,
    version integer NOT NULL
  );
  CREATE INDEX api_tokens_of_tenant ON api_tokens (tenant_id, id);
  CREATE TABLE audit (
    sequence integer PRIMARY KEY,
    time_ms integer NOT NULL,
    tenant_id text,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    details text NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL
  );
  CREATE INDEX audit_of_tenant ON audit (tenant_id, sequence);
  CREATE TABLE idempotency_keys (
    actor text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    status integer,
    body text,
    created_ms integer NOT NULL,
    PRIMARY KEY (actor, key)
  );
  CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_ms);
  CREATE TABLE licences (
    id text PRIMARY KEY,
    jws text NOT NULL,
    installed_ms integer NOT NULL,
    version integer NOT NULL
  );
  CREATE TABLE leases (name text PRIMARY KEY, holder text NOT NULL, until_ms integer NOT NULL)
`;

const fleet = `
  CREATE TABLE groups (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    kind text NOT NULL,
    selector text NOT NULL,
    created_ms integer NOT NULL,
    version integer NOT NULL,
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE enrolment_tokens (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    public_key text NOT NULL,
    group_id text,
    labels text NOT NULL,
    uses_max integer NOT NULL,
    uses integer NOT NULL,
    expires_ms integer NOT NULL,
    networks text NOT NULL,
    needs_approval integer NOT NULL,
    agent_id text,
    revoked_ms integer,
    created_ms integer NOT NULL,
    version integer NOT NULL,
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE enrolment_requests (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    token_id text,
    identity_key text NOT NULL,
    sealing_key text NOT NULL,
    request text NOT NULL,
    forked_from text,
    state text NOT NULL,
    agent_id text,
    created_ms integer NOT NULL,
    decided_ms integer,
    decided_by text,
    version integer NOT NULL,
    UNIQUE (token_id, identity_key)
  );
  CREATE INDEX enrolment_requests_of_tenant ON enrolment_requests (tenant_id, state, id);
  CREATE INDEX enrolment_requests_by_key ON enrolment_requests (identity_key);
  CREATE TABLE agents (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    kind text NOT NULL,
    labels text NOT NULL,
    status text NOT NULL,
    identity_key text NOT NULL,
    sealing_key text NOT NULL,
    installation_id text NOT NULL,
    fingerprint text NOT NULL,
    enrolled_ms integer NOT NULL,
    generation integer NOT NULL,
    created_ms integer NOT NULL,
    version integer NOT NULL
  );
  CREATE INDEX agents_of_tenant ON agents (tenant_id, id);
  CREATE INDEX agents_by_name ON agents (tenant_id, name);
  CREATE INDEX agents_by_key ON agents (identity_key);
  CREATE INDEX agents_by_installation ON agents (installation_id);
  CREATE TABLE group_members (
    group_id text NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, agent_id)
  );
  CREATE INDEX group_members_by_agent ON group_members (agent_id);
  CREATE TABLE agent_live (
    agent_id text PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    last_seen_ms integer NOT NULL,
    run_id text NOT NULL,
    address text NOT NULL,
    status text,
    status_ms integer,
    accepted_serial integer,
    health text NOT NULL,
    version text NOT NULL
  );
  CREATE INDEX agent_live_by_time ON agent_live (last_seen_ms);
  CREATE TABLE agent_runs (
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    run_id text NOT NULL,
    fingerprint text NOT NULL,
    address text NOT NULL,
    first_seen_ms integer NOT NULL,
    last_seen_ms integer NOT NULL,
    resumed_ms integer,
    PRIMARY KEY (agent_id, run_id)
  );
  CREATE INDEX agent_runs_by_time ON agent_runs (last_seen_ms);
  CREATE TABLE request_nonces (nonce text PRIMARY KEY, expires_ms integer NOT NULL);
  CREATE INDEX request_nonces_by_time ON request_nonces (expires_ms);
  CREATE TABLE identity_conflicts (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    evidence text NOT NULL,
    state text NOT NULL,
    created_ms integer NOT NULL,
    updated_ms integer NOT NULL
  );
  CREATE INDEX identity_conflicts_of_tenant ON identity_conflicts (tenant_id, id);
  CREATE INDEX identity_conflicts_by_agent ON identity_conflicts (agent_id, state)
`;

const bundles = `
  CREATE TABLE repositories (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    routes text NOT NULL,
    quotas text NOT NULL,
    epoch integer NOT NULL,
    destination text,
    unsigned text,
    created_ms integer NOT NULL,
    version integer NOT NULL,
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE secrets (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    sealed text NOT NULL,
    previous_sealed text,
    created_ms integer NOT NULL,
    version integer NOT NULL,
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE machine_repositories (
    agent_id text NOT NULL,
    repository_id text NOT NULL,
    tenant_id text NOT NULL,
    gateway_hash text NOT NULL,
    gateway_sealed text NOT NULL,
    password_sealed text NOT NULL,
    previous_password_sealed text,
    stored_bytes integer NOT NULL,
    stored_objects integer NOT NULL,
    created_ms integer NOT NULL,
    PRIMARY KEY (agent_id, repository_id)
  );
  CREATE INDEX machine_repositories_by_repository ON machine_repositories (repository_id, agent_id);
  CREATE INDEX machine_repositories_of_tenant ON machine_repositories (tenant_id);
  CREATE TABLE policies (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    name text NOT NULL,
    document text NOT NULL,
    managed_by text NOT NULL,
    server_schedule text NOT NULL,
    policy_version integer NOT NULL,
    rollout text,
    previous_document text,
    previous_version integer,
    former_passwords text NOT NULL DEFAULT '[]',
    created_ms integer NOT NULL,
    version integer NOT NULL,
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE policy_assignments (
    policy_id text NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    group_id text REFERENCES groups (id) ON DELETE CASCADE,
    agent_id text REFERENCES agents (id) ON DELETE CASCADE,
    tenant_id text NOT NULL,
    UNIQUE (policy_id, group_id),
    UNIQUE (policy_id, agent_id),
    CHECK ((group_id IS NULL) <> (agent_id IS NULL))
  );
  CREATE INDEX policy_assignments_by_group ON policy_assignments (group_id);
  CREATE INDEX policy_assignments_by_agent ON policy_assignments (agent_id);
  CREATE INDEX policy_assignments_of_tenant ON policy_assignments (tenant_id);
  CREATE TABLE bundles (
    agent_id text PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    tenant_id text NOT NULL,
    serial integer NOT NULL,
    content_hash text NOT NULL,
    hash text NOT NULL,
    jws text NOT NULL,
    revision integer NOT NULL,
    created_ms integer NOT NULL
  );
  CREATE INDEX bundles_of_tenant ON bundles (tenant_id, revision);
  CREATE TABLE agent_intents (
    agent_id text PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    tenant_id text NOT NULL,
    intent text NOT NULL,
    policies_hash text,
    created_ms integer NOT NULL
  );
  CREATE TABLE rollout_members (
    rollout_id text NOT NULL,
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    is_refusing integer NOT NULL,
    outcome text,
    bytes_selected integer,
    last_seen_ms integer,
    joined_ms integer NOT NULL,
    PRIMARY KEY (rollout_id, agent_id)
  );
  CREATE TABLE escrow (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    repository_id text NOT NULL,
    recovery_key_id text NOT NULL,
    key_name text NOT NULL,
    sealed text NOT NULL,
    created_ms integer NOT NULL,
    UNIQUE (agent_id, repository_id, recovery_key_id, key_name)
  );
  CREATE INDEX escrow_of_tenant ON escrow (tenant_id, id)
`;

const work = `
  CREATE TABLE commands (
    id text PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    kind text NOT NULL,
    "order" text NOT NULL,
    jws text NOT NULL,
    state text NOT NULL,
    progress text,
    created_by text NOT NULL,
    created_ms integer NOT NULL,
    expires_ms integer NOT NULL,
    updated_ms integer NOT NULL,
    slot text,
    UNIQUE (agent_id, slot)
  );
  CREATE INDEX commands_of_agent ON commands (agent_id, state, id);
  CREATE INDEX commands_of_tenant ON commands (tenant_id, id);
  CREATE INDEX commands_by_expiry ON commands (state, expires_ms);
  CREATE TABLE command_uploads (
    command_id text PRIMARY KEY REFERENCES commands (id) ON DELETE CASCADE,
    tenant_id text NOT NULL,
    file text NOT NULL,
    size_bytes integer NOT NULL,
    created_ms integer NOT NULL
  );
  CREATE INDEX command_uploads_by_time ON command_uploads (created_ms);
  CREATE TABLE reports (
    agent_id text NOT NULL,
    id text NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    time_ms integer NOT NULL,
    received_ms integer NOT NULL,
    policy text NOT NULL,
    outcome text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (agent_id, id)
  );
  CREATE INDEX reports_of_tenant ON reports (tenant_id, kind, time_ms, id);
  CREATE INDEX reports_of_agent ON reports (agent_id, kind, time_ms, id);
  CREATE INDEX reports_by_arrival ON reports (received_ms);
  CREATE TABLE protection (
    agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    policy text NOT NULL,
    tenant_id text NOT NULL,
    last_good_ms integer,
    last_outcome text,
    last_ended_ms integer,
    maximum_age_ms integer NOT NULL,
    since_ms integer NOT NULL,
    overdue_since_ms integer,
    bytes_selected integer,
    policy_version integer,
    PRIMARY KEY (agent_id, policy)
  );
  CREATE INDEX protection_of_tenant ON protection (tenant_id, overdue_since_ms)
`;

/** In this order; statements end with a semicolon and hold none. */
export const firstTables = [tenantsAndAccess, fleet, bundles, work].join(";");
