/** What the gateway keeps the files of a repository in: a setting of the repository's route. */
import type { RepositoryRoute, RetiringRoute } from "../../protocol/control/repository-route.ts";

export type GatewayStorage = NonNullable<
  Extract<RepositoryRoute, { readonly kind: "gateway" }>["storage"]
>;

/** Of a row of `repositories`; undefined: the gateway's folder. A route that was replaced still leads somewhere. */
export function storageOf({
  routes,
  retiring,
}: {
  readonly routes: string;
  readonly retiring: string;
}): GatewayStorage | undefined {
  const usable = [
    ...(JSON.parse(routes) as RepositoryRoute[]),
    ...(JSON.parse(retiring) as RetiringRoute[]).map(({ route }) => route),
  ];
  const route = usable.find(({ kind }) => kind === "gateway");
  return route?.kind === "gateway" ? route.storage : undefined;
}
