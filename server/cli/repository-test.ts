/** `backstay-server repository test`, and what `repository create` and `show` tell of such tests. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { PlaceTestAnswer, TestedPlace } from "../../protocol/management/place-tests.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { ManagementClient } from "./management-client.ts";
import { textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import { addTenantOption, idOf, operand, repositories, tenantIdOf } from "./resource-verbs.ts";
import { factLines } from "./text-table.ts";
import type { Shown, Verb } from "./verb.ts";

export interface PlacesToTest {
  readonly tenantId: string | undefined;
  readonly routes: RepositoryAnswer["routes"];
}

type Finding = TestedPlace["findings"][number];

/** Tests places before a repository is made of them. */
export async function testRoutes(
  client: ManagementClient,
  { tenantId, routes }: PlacesToTest,
): Promise<PlaceTestAnswer> {
  return (await client.post(`${repositories.path}/test`, { tenantId, routes }))
    .body as PlaceTestAnswer;
}

/** RESOURCE_STATE with all that is bad, if anything is. */
export function refuseBad({ places }: PlaceTestAnswer, repository: string): void {
  const bad = places.flatMap(({ place, findings }) =>
    findings.filter(isBad).map(({ found, remedy = "" }) => `${place}: ${found} ${remedy}`.trim()),
  );
  if (bad.length === 0) return;
  throw new BackstayError("RESOURCE_STATE", {
    repository,
    problem: "its place is not as it must be; --no-test makes the repository all the same",
    bad: bad.join("; "),
  });
}

/** What was found, in lines. */
export function testLines({ testedMs, places }: PlaceTestAnswer): string[] {
  if (testedMs === null) return ["never tested"];
  if (places.length === 0) return ["nothing to test: it is in the gateway's own folder"];
  return places.flatMap(({ route, place, findings }) => [
    `${route} ${place}, ${momentText(testedMs)}`,
    ...findings.flatMap(findingLines),
  ]);
}

/** Whatever was found and is not good, in lines. */
export function objections({ places }: PlaceTestAnswer): string[] {
  return places
    .flatMap(({ findings }) => findings)
    .filter(({ verdict }) => verdict !== "good")
    .flatMap(findingLines);
}

/** When it was, and what was not good. */
function testSummary(answer: PlaceTestAnswer): string {
  if (answer.testedMs === null) return "never tested";
  const lines = objections(answer);
  const moment = momentText(answer.testedMs);
  return [lines.length === 0 ? `${moment}, all good` : `${moment}, found:`, ...lines].join("\n");
}

function findingLines({ check, verdict, found, remedy }: Finding): string[] {
  const line = `  ${verdict.padEnd(7)} ${check}: ${found}`;
  return remedy === undefined ? [line] : [line, `          ${remedy}`];
}

function isBad({ verdict }: Finding): boolean {
  return verdict === "bad";
}

export const testVerb: Verb = {
  name: "test",
  summary: "look whether the places of a repository are as they must be; exit code 1 if not",
  examples: [
    "backstay-server repository test main",
    "backstay-server repository test --url s3:https://s3.example/backups --secret s3-account",
  ],
  define: (command) => {
    command
      .argument("[repository]", "name or id; or --url before there is one")
      .option("--url <url>", "a place that no repository has yet")
      .option("--secret <name>", "secret with its account");
    addTenantOption(command);
  },
  run: async (call): Promise<Shown> => {
    const client = await call.client();
    const tenantId = await tenantIdOf(call);
    const name = operand(call);
    const url = textOf(call.options["url"]);
    const secret = textOf(call.options["secret"]);
    if ((name === "") === (url === undefined))
      throw new BackstayError("USAGE", { problem: "give a repository, or --url" });
    const answer =
      url === undefined
        ? await testKnown(client, await idOf(client, repositories, name, tenantId))
        : await testRoutes(client, {
            tenantId,
            routes: [{ kind: "direct", url, ...(secret !== undefined && { secret }) }],
          });
    const findings = answer.places.flatMap((each) => each.findings);
    return { json: answer, lines: testLines(answer), exitCode: findings.some(isBad) ? 1 : 0 };
  },
};

async function testKnown(client: ManagementClient, id: string): Promise<PlaceTestAnswer> {
  return (await client.post(`${repositories.path}/${id}/test`, {})).body as PlaceTestAnswer;
}

/** `repository show`, with what its last test has found. */
export function withLastTest(show: Verb): Verb {
  return {
    ...show,
    run: async (call) => {
      const shown = await show.run(call);
      const { id } = shown.json as RepositoryAnswer;
      const { body } = await (await call.client()).get(`${repositories.path}/${id}/test`);
      const test = body as PlaceTestAnswer;
      return {
        json: { ...(shown.json as RepositoryAnswer), test },
        lines: [...shown.lines, ...factLines([["Last test", testSummary(test)]])],
      };
    },
  };
}
