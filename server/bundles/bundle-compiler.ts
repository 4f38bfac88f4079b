/** What a tenant wants of one machine, put into the words of a bundle. Pure but for what it is given. */
import { createHash, createHmac } from "node:crypto";
import type { BundleDocument } from "../../protocol/control/bundle.ts";
import { gatewaySecretName, repositoryScheme } from "../../protocol/control/bundle.ts";
import type { MachineRepository } from "./machine-repositories.ts";
import { isReached } from "./rollout.ts";
import { automaticSecret } from "./secrets.ts";
import type { PolicyText, PolicyView, RepositoryView, TenantView } from "./tenant-view.ts";

/** The machine that a bundle is for. */
export interface BundleMachine {
  readonly id: string;
  /** X25519, public. */
  readonly sealingKey: string;
  /** Ids of the groups that it is in. */
  readonly groups: readonly string[];
}

/** A policy as this machine gets it. */
export interface ChosenPolicy {
  readonly policy: PolicyView;
  /** The version for this machine: the current one, or the one before until the rollout reaches it. */
  readonly text: PolicyText;
  readonly repository: RepositoryView;
  /** Where backups of it are from before: other members of its pool, newest first. */
  readonly former: readonly RepositoryView[];
}

/** A bundle before it is numbered, sealed and signed. */
export interface BundleContent {
  readonly policies: BundleDocument["policies"];
  readonly destinations: BundleDocument["destinations"];
  readonly repositoryStands: BundleDocument["repositoryStands"];
  /** In the clear. */
  readonly secrets: ReadonlyMap<string, Buffer>;
  readonly previousPasswords: BundleDocument["previousPasswords"];
  readonly rolloutId: string | undefined;
}

/** A policy of a machine, before it is known where its backups go. */
export interface PolicyOfMachine {
  readonly policy: PolicyView;
  readonly text: PolicyText;
}

/** The policies of a machine in the order of their names, each once. */
export function policiesOf(view: TenantView, machine: BundleMachine): PolicyOfMachine[] {
  const ids = new Set([
    ...(view.byAgent.get(machine.id) ?? []),
    ...machine.groups.flatMap((group) => view.byGroup.get(group) ?? []),
  ]);
  const found: PolicyOfMachine[] = [];
  for (const id of ids) {
    const policy = view.policies.get(id);
    if (policy === undefined) continue;
    const { rollout, previous, current } = policy;
    const isEarlier = rollout !== undefined && !isReached(rollout, machine.id);
    found.push({ policy, text: isEarlier ? (previous ?? current) : current });
  }
  return found.toSorted((a, b) => (a.policy.name < b.policy.name ? -1 : 1));
}

/** Those of them whose repository can be used. `placed`: by name of a pool the members that the machine stores in. */
export function chosenPolicies(
  view: TenantView,
  policies: readonly PolicyOfMachine[],
  placed: ReadonlyMap<string, readonly RepositoryView[]>,
): ChosenPolicy[] {
  return policies.flatMap(({ policy, text }) => {
    const { repositoryName: name = "" } = text;
    const [repository = view.repositories.get(name), ...former] = placed.get(name) ?? [];
    return repository === undefined ? [] : [{ policy, text, repository, former }];
  });
}

/** `owned` has what the machine has in each of the repositories of its policies. */
export function bundleContent(
  view: TenantView,
  machine: BundleMachine,
  chosen: readonly ChosenPolicy[],
  owned: ReadonlyMap<string, MachineRepository>,
): BundleContent {
  const secrets = new Map<string, Buffer>();
  const previousPasswords: Record<string, string[]> = {};
  const places = chosen.flatMap((each) =>
    [each.repository, ...each.former].map((repository) => ({ ...each, repository })),
  );
  const repositories = new Map(places.map(({ repository }) => [repository.id, repository]));
  for (const each of places) {
    const mine = owned.get(each.repository.id);
    const before = passwordsBefore(view, each, mine);
    for (const [name, value] of [...policySecrets(view, each, mine), ...before])
      secrets.set(name, value);
    const known = previousPasswords[each.repository.id] ?? [];
    const names = new Set([...known, ...before.map(([name]) => name)]);
    if (names.size > 0) previousPasswords[each.repository.id] = [...names];
  }
  for (const repository of repositories.values())
    for (const [name, value] of routeSecrets(view, repository, owned.get(repository.id)))
      secrets.set(name, value);
  const reached = chosen.find(
    ({ policy: { rollout } }) => rollout !== undefined && isReached(rollout, machine.id),
  );
  return {
    policies: chosen.map(policyOfBundle),
    destinations: [...repositories.values()].map(({ jws }) => jws),
    repositoryStands: Object.fromEntries(
      [...repositories.values()].flatMap(({ id, stand: { modes, number } }) =>
        number === 0 ? [] : [[id, { modes, number }]],
      ),
    ),
    secrets,
    previousPasswords,
    rolloutId: reached?.policy.rollout?.id,
  };
}

/** Hash of the policies as they are in a bundle. */
export function policiesHash(policies: unknown): string {
  return createHash("sha256").update(JSON.stringify(policies)).digest("hex");
}

/**
 * Hash of all that a bundle means, hex: equal for the same content however often it is sealed. Secrets enter it by way of
 * a key of the server (`hashKey`), so that the hash tells nothing about them.
 */
export function contentHash(
  view: TenantView,
  machine: BundleMachine,
  content: BundleContent,
  rest: { readonly intent: string; readonly server: unknown; readonly hashKey: Uint8Array },
): string {
  const { secrets, ...others } = content;
  const hashed = [...secrets]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, createHmac("sha256", rest.hashKey).update(value).digest("hex")]);
  const { tenantId, trust, recoveryKey, licence } = view;
  const meaning = [
    [tenantId, machine.id, machine.sealingKey, trust, recoveryKey ?? null],
    [licence.licenceId, licence.validUntilMs ?? null, licence.graceDays],
    [view.ring.signer("policy")?.id ?? null, rest.intent, rest.server],
    others,
    hashed,
  ];
  return createHash("sha256").update(JSON.stringify(meaning)).digest("hex");
}

function policyOfBundle({
  policy,
  text,
  repository,
  former,
}: ChosenPolicy): BundleDocument["policies"][0] {
  const { document, passwordSecret } = text;
  const isAutomatic = passwordSecret === automaticSecret;
  return {
    policyId: policy.id,
    policyVersion: text.version,
    managedBy: policy.managedBy,
    document: {
      ...document,
      destination: { ...document.destination, repository: `${repositoryScheme}${repository.id}` },
      ...(isAutomatic && {
        encryption: { ...document.encryption, password: { secret: automaticName(repository.id) } },
      }),
    },
    former: former.map(({ id }) => ({
      repositoryId: id,
      passwordSecret: isAutomatic ? automaticName(id) : passwordSecret,
    })),
  };
}

type NamedSecret = readonly [name: string, value: Buffer];

/** Without those that are not there. */
function present(
  secrets: readonly (readonly [name: string, value: Buffer | undefined])[],
): NamedSecret[] {
  return secrets.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

/** All that the policy names, its password among them. */
function policySecrets(
  view: TenantView,
  { text, repository }: ChosenPolicy,
  mine: MachineRepository | undefined,
): NamedSecret[] {
  return present(
    text.secrets.map((name) =>
      name === automaticSecret
        ? [automaticName(repository.id), mine?.password]
        : [name, view.secret(name)],
    ),
  );
}

function routeSecrets(
  view: TenantView,
  { id, destination }: RepositoryView,
  mine: MachineRepository | undefined,
): NamedSecret[] {
  return present(
    destination.routes.map((route) =>
      route.kind === "gateway"
        ? [gatewaySecretName(id), mine?.gatewayPassword]
        : [route.secret ?? "", route.secret === undefined ? undefined : view.secret(route.secret)],
    ),
  );
}

/** Passwords that the machine's repository may still have, newest first: it is changed to the one of now without a new full. */
function passwordsBefore(
  view: TenantView,
  { policy, text, repository }: ChosenPolicy,
  mine: MachineRepository | undefined,
): NamedSecret[] {
  const passwordOf = (name: string): readonly [string, Buffer | undefined] =>
    name === automaticSecret
      ? [automaticName(repository.id), mine?.password]
      : [name, view.secret(name)];
  const [nameNow] = passwordOf(text.passwordSecret);
  const changed =
    text.passwordSecret === automaticSecret
      ? (mine?.previousPasswords ?? [])
      : view.previousSecrets(text.passwordSecret);
  // Other versions named other passwords: the one before, the one after if that was taken back, and older ones.
  const versions = [policy.previous, policy.current].flatMap((other) =>
    other !== undefined && other.repositoryName === text.repositoryName
      ? [other.passwordSecret]
      : [],
  );
  const others = new Set([...versions, ...policy.formerPasswords]);
  others.delete(text.passwordSecret);
  return present([
    ...changed.map((value, at) => [`previous-${at + 1}:${nameNow}`, value] as const),
    ...[...others].map(passwordOf),
  ]);
}

/** By this name a bundle holds the password that the server made for the machine in a repository. */
function automaticName(repositoryId: string): string {
  return `${automaticSecret}-${repositoryId}`;
}
