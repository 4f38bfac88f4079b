/** Routes of repositories for people, and `backstay-server repository retire-route`. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import { momentText } from "./quantities.ts";
import { addTenantOption, repositories, said, targetOf } from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

/** A way as people read it. */
export function routeText(route: RepositoryAnswer["routes"][number]): string {
  if (route.kind === "gateway")
    return [
      "gateway",
      ...(route.url === undefined ? [] : [route.url]),
      ...(route.storage === undefined ? [] : [`in ${placeText(route.storage)}`]),
      ...(route.storage?.mayLock === true ? ["(machines may lock)"] : []),
      ...(route.storage?.storageClass === undefined
        ? []
        : [`(packs ${route.storage.storageClass})`]),
    ].join(" ");
  return `direct ${placeText(route)}`;
}

function placeText({
  url,
  secret,
}: {
  readonly url: string;
  readonly secret?: string | undefined;
}): string {
  return secret === undefined ? url : `${url} (secret ${secret})`;
}

/** A way that was replaced, and who it waits for. */
export function retiringText({
  route,
  sinceMs,
  unconfirmed,
}: RepositoryAnswer["retiring"][number]): string {
  const machines = unconfirmed === 1 ? "1 machine has" : `${unconfirmed} machines have`;
  return `${routeText(route)}, since ${momentText(sinceMs)}: ${machines} not confirmed`;
}

export const retireRoute: Verb = {
  name: "retire-route",
  summary: "end the routes that were replaced before every machine has confirmed",
  examples: ["backstay-server repository retire-route main --force"],
  define: (command) => {
    command
      .argument("<repository>", "name or id")
      .option("--force", "though machines may still go by them; their backups fail from then on");
    addTenantOption(command);
  },
  run: async (call) => {
    const { body } = await targetOf<RepositoryAnswer>(call, repositories);
    const { id, name, retiring } = body;
    if (retiring.length === 0) return said(body, `repository ${name}: no route is retiring`);
    if (call.options["force"] !== true && retiring.some(({ unconfirmed }) => unconfirmed > 0))
      throw new BackstayError("USAGE", {
        repository: name,
        problem:
          "machines have not confirmed that they left its old routes; --force ends them all the same",
        retiring: retiring.map(retiringText).join("; "),
      });
    const client = await call.client();
    const answer = await client.post(`${repositories.path}/${id}/retire-routes`, {});
    return said(answer.body, `repository ${name}: its old routes have ended`);
  },
};
