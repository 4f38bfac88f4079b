/** `backstay-server session` and `event`: what machines have reported. */
import type { ReportedAnswer } from "../../protocol/management/sessions.ts";
import { requestsText } from "../../protocol/request-sums.ts";
import { momentOption, textOf } from "./option-values.ts";
import { durationText, momentText, sizeText } from "./quantities.ts";
import {
  agents,
  idOf,
  type ListParts,
  listVerb,
  type ResourceKind,
  showVerb,
} from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const sessions: ResourceKind = { noun: "session", path: "/api/v1/sessions", isUnnamed: true };
const events: ResourceKind = { noun: "event", path: "/api/v1/events", isUnnamed: true };
const dayMs = 86_400_000;

/** The session that a report holds; machines of other versions may tell more or less. */
function sessionOf({ report }: ReportedAnswer): {
  id?: string;
  kind?: string;
  startedMs?: number;
  finishedMs?: number;
  cause?: { text?: string };
  failure?: { code?: string; message?: string };
  route?: string;
  location?: string;
  locationBefore?: string;
  figures?: { totalBytesProcessed?: number; dataAdded?: number };
  traffic?: { requests?: Record<string, number>; bytesUp?: number; bytesDown?: number };
} {
  const { session } = report as { session?: object };
  return session ?? {};
}

function tookText(item: ReportedAnswer): string {
  const { startedMs, finishedMs } = sessionOf(item);
  return startedMs === undefined || finishedMs === undefined
    ? "-"
    : durationText(Math.max(0, finishedMs - startedMs));
}

const filters: Pick<ListParts<ReportedAnswer>, "define" | "query"> = {
  define: (command) => {
    command
      .option("--agent <agent>", "of this machine; an id if it is forgotten")
      .option("--since <when>", "from this date on; a duration counts back from now", "7d")
      .option("--policy <name>", "about this policy; of events, about this subject")
      .option(
        "--outcome <outcome>",
        "success, warning, failure, canceled …; of events info, warning or error",
      );
  },
  query: async ({ options, client }, tenantId) => {
    const agent = textOf(options["agent"]);
    return {
      agentId:
        agent === undefined ? undefined : await idOf(await client(), agents, agent, tenantId),
      fromMs: sinceOf(options["since"]),
      policy: textOf(options["policy"]),
      outcome: textOf(options["outcome"]),
    };
  },
};

/** Durations count backwards here. */
function sinceOf(given: unknown): number | undefined {
  const nowMs = Date.now();
  const timeMs = momentOption("since", given, nowMs);
  return timeMs !== undefined && timeMs > nowMs ? Math.max(0, 2 * nowMs - timeMs) : timeMs;
}

export const sessionVerbs: readonly Verb[] = [
  listVerb<ReportedAnswer>({
    kind: sessions,
    summary: "list sessions that have ended, newest first",
    examples: [
      "backstay-server session list --agent pc1",
      "backstay-server session list --outcome failure --since 1d",
    ],
    titles: ["ENDED", "MACHINE", "KIND", "POLICY", "OUTCOME", "TOOK", "READ", "ADDED", "ID"],
    row: (item) => {
      const { kind, figures } = sessionOf(item);
      return [
        momentText(item.timeMs),
        item.agentId,
        kind ?? "-",
        item.policy,
        item.outcome,
        tookText(item),
        sizeText(figures?.totalBytesProcessed),
        sizeText(figures?.dataAdded),
        item.id,
      ];
    },
    ...filters,
  }),
  showVerb<ReportedAnswer>({
    kind: sessions,
    example: "backstay-server session show 01a2086a-e1fe-7cfe-892a-eb5fc9219f93.0123456789abcdef",
    facts: (item) => {
      const { id, kind, startedMs, cause, failure, figures, traffic, ...way } = sessionOf(item);
      return [
        ["Session", id ?? item.id],
        ["Machine", item.agentId],
        ["Kind", kind ?? "-"],
        ["Policy", item.policy],
        ["Why", cause?.text ?? "-"],
        ["Began", momentText(startedMs)],
        ["Took", tookText(item)],
        ["Outcome", item.outcome],
        ["Failure", failure === undefined ? "-" : `${failure.code ?? ""} ${failure.message ?? ""}`],
        ["Route", [way.route ?? "-", way.location ?? ""].join(" ").trim()],
        ["Session before", way.locationBefore ?? "the same way"],
        ["Read", sizeText(figures?.totalBytesProcessed)],
        ["Added", sizeText(figures?.dataAdded)],
        ["Requests", requestsText(traffic?.requests ?? {}) || "-"],
        ["Sent", sizeText(traffic?.bytesUp)],
        ["Received", sizeText(traffic?.bytesDown)],
        [
          "Came late",
          item.receivedMs - item.timeMs > dayMs
            ? durationText(item.receivedMs - item.timeMs)
            : "no",
        ],
      ];
    },
  }),
];

/** What an event's report says, for people. */
function eventText({ report }: ReportedAnswer): { code: string; text: string } {
  const { code, text } = report as { code?: string; text?: string };
  return { code: code ?? "-", text: text ?? "" };
}

export const eventVerbs: readonly Verb[] = [
  listVerb<ReportedAnswer>({
    kind: events,
    summary: "list what else machines have reported, newest first",
    examples: ["backstay-server event list --outcome error"],
    titles: ["TIME", "MACHINE", "SEVERITY", "CODE", "ABOUT", "WHAT"],
    row: (item) => [
      momentText(item.timeMs),
      item.agentId,
      item.outcome,
      eventText(item).code,
      item.policy,
      eventText(item).text,
    ],
    ...filters,
  }),
];
