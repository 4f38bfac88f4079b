/** Where the repository of a policy is, by which ways, and with which secrets: worked out anew for each run. */
import type { SecretKeeper } from "../../platform/ports/secret-keeper.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { RepositoryOrder, RouteOrder } from "../../protocol/run-order.ts";
import { storageSettings } from "../../protocol/storage-settings.ts";
import type { BundleInForce, Destination, DestinationRoute } from "../control/bundle-in-force.ts";
import { isAllowedDestination } from "../policy/guard-rail-objections.ts";
import type { PolicyInForce } from "./policy-book.ts";

type Place = Omit<RepositoryOrder, "create">;

export interface RepositoryPlacesParts {
  /** The machine's own, for the policies of its own. */
  readonly secrets: Pick<SecretKeeper, "read">;
  /** By which proxies this machine gets out, as variables of the environment. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Told of each secret that is read, so that no log shows it. */
  readonly onSecret: (secret: string) => void;
  readonly guardRails: () => GuardRails;
  /** The server's; undefined before the first. */
  readonly bundle: () => BundleInForce | undefined;
  /** What an order is to ask for by way of a recovery password; undefined if the server has it, or wants none. */
  readonly recovery: (repositoryId: string) => RepositoryOrder["recovery"];
}

export class RepositoryPlaces {
  readonly #parts: RepositoryPlacesParts;

  constructor(parts: RepositoryPlacesParts) {
    this.#parts = parts;
  }

  /**
   * Of a policy, or of its older backups in the repository of the name `from`. SECRET_MISSING, SECRET_UNREADABLE, SECRET_INVALID; POLICY_RESTRICTED if the machine allows none of the routes,
   * POLICY_SCOPE if the policy wants none of those that there are.
   */
  async of(found: PolicyInForce, from?: string): Promise<Place> {
    const held = heldAt(found, from);
    return held === undefined
      ? await this.#own(found.policy)
      : this.#ofServer(found.policy, held.repositoryId, held.passwordSecret);
  }

  async #own({ destination, encryption }: Policy): Promise<Place> {
    const read = async (name: string): Promise<string> => {
      const stored = await this.#parts.secrets.read(name);
      return this.#text(stored);
    };
    const password = await read(encryption.password.secret);
    const url = destination.repository;
    const account = destination.credentials?.secret;
    const settings = account === undefined ? {} : this.#settings(account, await read(account));
    return { routes: [this.#order("direct", url, settings)], password };
  }

  #ofServer(policy: Policy, repositoryId: string, passwordSecret: string): Place {
    const { bundle: inForce, recovery, guardRails } = this.#parts;
    const bundle = inForce();
    const destination = bundle?.destinations.get(repositoryId);
    if (bundle === undefined || destination === undefined)
      throw new BackstayError("POLICY_SCOPE", {
        policy: policy.name,
        problem: "the server says no more where its repository is",
      });
    const wanted = routesOf(destination, policy);
    if (wanted.length === 0)
      throw new BackstayError("POLICY_SCOPE", {
        policy: policy.name,
        problem: "its repository has none of the routes that the policy allows",
      });
    const allowed = wanted.filter((route) => isAllowedDestination(route.repository, guardRails()));
    if (allowed.length === 0)
      throw new BackstayError("POLICY_RESTRICTED", {
        policy: policy.name,
        problem: "its repository is none of the places that this machine may send backups to",
      });
    const previousPasswords = destination.previousPasswords.map((name) => this.#open(bundle, name));
    const wantedRecovery = recovery(repositoryId);
    return {
      routes: allowed.map((route) => this.#route(bundle, repositoryId, route)),
      password: this.#open(bundle, passwordSecret),
      stand: {
        tenantId: bundle.trust.tenantId,
        repositoryId,
        ...(destination.stand !== undefined && { known: destination.stand }),
        keys: bundle.trust.roles.policy,
      },
      ...(previousPasswords.length > 0 && { previousPasswords }),
      ...(wantedRecovery !== undefined && { recovery: wantedRecovery }),
    };
  }

  #route(bundle: BundleInForce, repositoryId: string, route: DestinationRoute): RouteOrder {
    const { kind, repository: url } = route;
    if (route.kind === "gateway")
      return this.#order(kind, url, {
        RESTIC_REST_USERNAME: route.user,
        RESTIC_REST_PASSWORD: this.#open(bundle, route.passwordSecret),
        ...(route.pins.length > 0 && { BACKSTAY_REST_PINS: route.pins.join(",") }),
      });
    if (route.isIssued) return { ...this.#order(kind, url, {}), issuedFor: repositoryId };
    const account = route.credentialsSecret;
    const settings =
      account === undefined ? {} : this.#settings(account, this.#open(bundle, account));
    return this.#order(kind, url, settings);
  }

  /** Engines take nothing of this kind from their environment: what a storage needs is in the order. */
  #order(
    kind: RouteOrder["kind"],
    url: string,
    account: Readonly<Record<string, string>>,
  ): RouteOrder {
    const settings = { ...this.#parts.proxies, ...account };
    return { kind, url, ...(Object.keys(settings).length > 0 && { settings }) };
  }

  #open(bundle: BundleInForce, name: string): string {
    const value = bundle.secret(name);
    if (value === undefined) throw new BackstayError("SECRET_MISSING", { secret: name });
    return this.#text(value);
  }

  #settings(name: string, text: string): Record<string, string> {
    const settings = storageSettings(name, text);
    for (const value of Object.values(settings)) this.#parts.onSecret(value);
    return settings;
  }

  /** As the command line reads password files: without the line feed at the end. */
  #text(value: Uint8Array): string {
    const text = new TextDecoder().decode(value).replace(/\r?\n$/, "");
    this.#parts.onSecret(text);
    return text;
  }
}

/**
 * Id and password of the server's repository that a policy goes to, or of the one of the name `from` that holds older
 * backups of it; undefined for a policy of the machine. POLICY_SCOPE if it has no backups there.
 */
export function heldAt(
  { policy, server }: PolicyInForce,
  from: string | undefined,
): { readonly repositoryId: string; readonly passwordSecret: string } | undefined {
  const now = server && {
    repositoryId: server.repositoryId,
    passwordSecret: policy.encryption.password.secret,
  };
  if (from === undefined) return now;
  const places = [...(now === undefined ? [] : [now]), ...(server?.former ?? [])];
  const nameOf = (id: string): string | undefined => server?.bundle.destinations.get(id)?.name;
  const held = places.find(({ repositoryId }) => nameOf(repositoryId) === from);
  if (held !== undefined) return held;
  const names = places.map(({ repositoryId }) => nameOf(repositoryId) ?? "").join(", ");
  throw new BackstayError("POLICY_SCOPE", {
    policy: policy.name,
    problem: `it has no backups in ${from}${names === "" ? "" : `; there are some in ${names}`}`,
  });
}

/** Those of the destination that the policy allows, in the destination's order. */
export function routesOf(
  { routes }: Destination,
  { destination }: Policy,
): readonly DestinationRoute[] {
  return routes.filter(({ kind }) => destination.routes?.includes(kind) ?? true);
}
