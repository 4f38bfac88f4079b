/** `backstay-server audit`: who changed what. */
import type { AuditEntryAnswer, AuditVerdictAnswer } from "../../protocol/management/audit.ts";
import { momentOption, textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import { listVerb } from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const verify: Verb = {
  name: "verify",
  summary: "read the whole log and tell whether any entry was altered or taken out",
  examples: ["backstay-server audit verify"],
  run: async ({ client }) => {
    const { body } = await (await client()).get("/api/v1/audit/verification");
    const { entries, brokenAt } = body as AuditVerdictAnswer;
    return brokenAt === null
      ? { json: body, lines: [`${entries} entries, all as they were written`] }
      : {
          json: body,
          lines: [
            `Entry ${brokenAt} is missing or was altered; the ${entries} before it are as they were written.`,
          ],
          exitCode: 1,
        };
  },
};

export const auditVerbs: readonly Verb[] = [
  listVerb<AuditEntryAnswer>({
    kind: { noun: "audit", path: "/api/v1/audit" },
    summary: "list entries, oldest first",
    examples: [
      "backstay-server audit list --since 2026-01-01 --action policy.",
      "backstay-server audit list --target 01a2086a-e1fe-7cfe-892a-eb5fc9219f93 --json",
    ],
    titles: ["NO", "TIME", "WHO", "ACTION", "TARGET", "DETAILS"],
    row: ({ sequence, timeMs, actor, action, target, details }) => [
      String(sequence),
      momentText(timeMs),
      actor,
      action,
      target,
      Object.keys(details).length === 0 ? "" : JSON.stringify(details),
    ],
    define: (command) => {
      command
        .option("--since <when>", "from this date on")
        .option("--action <action>", "`noun.verb`, or `noun.` for all verbs")
        .option("--target <id>", "about this thing")
        .option("--actor <actor>", "by `token:ID`, `agent:ID` or `server`");
    },
    query: ({ options }) => ({
      sinceMs: momentOption("since", options["since"], Date.now()),
      action: textOf(options["action"]),
      target: textOf(options["target"]),
      actor: textOf(options["actor"]),
    }),
  }),
  verify,
];
