/** `backstay-server apply`: makes the server as files of YAML say. Removes nothing. */
import { readFile } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { NewEnrolmentTokenAnswer } from "../../protocol/management/enrolments.ts";
import { type PlannedStep, planOf } from "./apply-plan.ts";
import { doStep } from "./apply-steps.ts";
import { nameOf } from "./declarations.ts";
import { FleetReader } from "./fleet-reader.ts";
import { type DeclaredFile, readDeclarations } from "./read-declarations.ts";
import { changeText } from "./value-changes.ts";
import { collect, type Verb, type VerbStreams } from "./verb.ts";

const done = { create: "made", change: "changed", keep: "unchanged" };
const wouldBe = { create: "would be made", change: "would be changed", keep: "unchanged" };

export const applyVerb: Verb = {
  name: "apply",
  summary: "make the server as files of YAML say; what they do not name stays as it is",
  examples: [
    "backstay-server apply -f fleet.yaml --dry-run",
    "backstay-server apply -f tenants.yaml -f policies.yaml",
    "backstay-server export | ssh other backstay-server apply -f -",
  ],
  define: (command) => {
    command
      .requiredOption(
        "-f, --file <file>",
        "file of documents, - for standard input; repeatable",
        collect,
      )
      .option("-n, --dry-run", "change nothing, only tell what would change")
      .option("--at-once", "changes of policies reach all machines now, not in waves")
      .option("--reduction", "it is meant that machines back up less, or nothing");
  },
  run: async ({ options, io, client: connect }) => {
    const files: DeclaredFile[] = [];
    for (const name of options["file"] as string[])
      files.push({ name, content: await contentOf(name, io) });
    const declared = await readDeclarations(files);
    const client = await connect();
    const reader = new FleetReader(client);
    const steps = await planOf(reader, declared);
    const isDry = options["dryRun"] === true;
    const choices = {
      isAtOnce: options["atOnce"] === true,
      isReduction: options["reduction"] === true,
    };
    const results: { readonly [field: string]: unknown }[] = [];
    const lines: string[] = [];
    for (const step of steps) {
      const isDone = !isDry && step.action !== "keep";
      let token: string | undefined;
      try {
        if (isDone) token = tokenOf(step, await doStep(client, reader, step, choices));
      } catch (error) {
        // What was done before stays done: people must know.
        for (const line of lines) io.note(line);
        throw error;
      }
      results.push({ ...told(step), ...(token === undefined ? {} : { token }) });
      lines.push(...linesOf(step, isDry, token));
    }
    return { json: { dryRun: isDry, results }, lines };
  },
};

function told({ place, declaration, action, changes }: PlannedStep): Record<string, unknown> {
  const tenant = "tenant" in declaration ? { tenant: declaration.tenant } : {};
  const { kind } = declaration;
  return { kind, ...tenant, name: nameOf(declaration), action, changes, place };
}

function linesOf(
  { declaration, action, changes }: PlannedStep,
  isDry: boolean,
  token: string | undefined,
): string[] {
  const { kind } = declaration;
  const subject = kind === "licence" ? kind : `${kind} ${nameOf(declaration)}`;
  return [
    `${subject}: ${(isDry ? wouldBe : done)[action]}`,
    ...changes.map((change) => `  ${changeText(change)}`),
    ...(token === undefined ? [] : [`  shown this once: ${token}`]),
  ];
}

function tokenOf({ declaration }: PlannedStep, answer: unknown): string | undefined {
  return declaration.kind === "enrolment-token"
    ? (answer as NewEnrolmentTokenAnswer).token
    : undefined;
}

async function contentOf(name: string, io: VerbStreams): Promise<Uint8Array> {
  if (name !== "-")
    return await readFile(name).catch((error: unknown) => {
      const problem = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      throw new BackstayError("USAGE", { file: name, problem }, error);
    });
  const parts: Uint8Array[] = [];
  for await (const part of io.input)
    parts.push(typeof part === "string" ? Buffer.from(part) : part);
  return Buffer.concat(parts);
}
