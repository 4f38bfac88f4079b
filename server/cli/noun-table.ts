/** All commands of `backstay-server`, in the order in which help lists them. Each is loaded only when it is asked for. */
import type { NounEntry } from "./verb.ts";

export const nounTable: readonly NounEntry[] = [
  {
    name: "serve",
    summary: "run the server",
    load: async () => (await import("./noun-serve.ts")).serveVerb,
  },
  {
    name: "save",
    summary: "copy the server's database and master key",
    load: async () => (await import("./noun-save.ts")).saveVerb,
  },
  {
    name: "status",
    summary: "say how the fleet is",
    load: async () => (await import("./noun-status.ts")).statusVerb,
  },
  {
    name: "apply",
    summary: "make the server as files of YAML say",
    load: async () => (await import("./noun-apply.ts")).applyVerb,
  },
  {
    name: "export",
    summary: "print what the server has as YAML, without secrets",
    load: async () => (await import("./noun-export.ts")).exportVerb,
  },
  {
    name: "tenant",
    summary: "who owns machines, repositories and policies",
    load: async () => (await import("./noun-tenant.ts")).tenantVerbs,
  },
  {
    name: "group",
    summary: "machines that policies are given to together",
    load: async () => (await import("./noun-group.ts")).groupVerbs,
  },
  {
    name: "agent",
    summary: "the machines",
    load: async () => (await import("./noun-agent.ts")).agentVerbs,
  },
  {
    name: "token",
    summary: "enrolment tokens, by which machines join",
    load: async () => (await import("./noun-token.ts")).tokenVerbs,
  },
  {
    name: "request",
    summary: "machines that wait to be let in",
    load: async () => (await import("./noun-request.ts")).requestVerbs,
  },
  {
    name: "conflict",
    summary: "identities that two machines use",
    load: async () => (await import("./noun-conflict.ts")).conflictVerbs,
  },
  {
    name: "repository",
    summary: "where the data of machines goes",
    load: async () => (await import("./noun-repository.ts")).repositoryVerbs,
  },
  {
    name: "secret",
    summary: "passwords and keys that policies name",
    load: async () => (await import("./noun-secret.ts")).secretVerbs,
  },
  {
    name: "policy",
    summary: "what machines back up",
    load: async () => (await import("./noun-policy.ts")).policyVerbs,
  },
  {
    name: "rollout",
    summary: "changes of policies on their way to machines",
    load: async () => (await import("./noun-rollout.ts")).rolloutVerbs,
  },
  {
    name: "command",
    summary: "ask machines to do something",
    load: async () => (await import("./noun-command.ts")).commandVerbs,
  },
  {
    name: "session",
    summary: "what ran on the machines",
    load: async () => (await import("./noun-session.ts")).sessionVerbs,
  },
  {
    name: "event",
    summary: "what else the machines have reported",
    load: async () => (await import("./noun-session.ts")).eventVerbs,
  },
  {
    name: "licence",
    summary: "the licence of this installation",
    load: async () => (await import("./noun-licence.ts")).licenceVerbs,
  },
  {
    name: "escrow",
    summary: "recovery passwords that machines have sealed",
    load: async () => (await import("./noun-escrow.ts")).escrowVerbs,
  },
  {
    name: "key",
    summary: "the keys that sign",
    load: async () => (await import("./noun-key.ts")).keyVerbs,
  },
  {
    name: "api-token",
    summary: "who may use this API",
    load: async () => (await import("./noun-api-token.ts")).apiTokenVerbs,
  },
  {
    name: "audit",
    summary: "who changed what",
    load: async () => (await import("./noun-audit.ts")).auditVerbs,
  },
];
