/** A process of the swarm: many machines, led by messages from the process that started it. */
import type { Clock } from "../../platform/ports/clock.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { hastyClock } from "./hasty-clock.ts";
import { SwarmAgent } from "./swarm-agent.ts";
import { enrolledMachine } from "./swarm-enrolment.ts";
import { swarmIdentity } from "./swarm-identity.ts";
import type { SwarmMember, SwarmOrder, SwarmReply } from "./swarm-messages.ts";
import { SwarmMeter } from "./swarm-meter.ts";

const meter = new SwarmMeter();
let haveSessionsEnded = false;
const agents: SwarmAgent[] = [];

async function answer(order: SwarmOrder): Promise<SwarmReply> {
  switch (order.kind) {
    case "enrol":
      return await enrolAll(order);
    case "run":
      startAll(order);
      return { kind: "running" };
    case "figures": {
      const figures = meter.toJSON();
      meter.clear();
      return { kind: "figures", figures };
    }
    case "stand": {
      const accepted = agents.flatMap(({ accepted: newest }) =>
        newest?.tags.includes(order.tag) === true ? newest.timeMs : [],
      );
      const unsent = agents.reduce((sum, agent) => sum + agent.unsent, 0);
      return { kind: "stand", acceptedMs: accepted, unsent };
    }
    case "no-more-sessions":
      haveSessionsEnded = true;
      return { kind: "no-more-sessions" };
    case "ledger":
      return {
        kind: "ledger",
        reported: agents.flatMap(({ record }) => record.reported),
        done: agents.flatMap(({ record }) => record.done),
        refusals: agents.flatMap(({ record }) => record.refusals),
      };
  }
}

async function enrolAll({
  share,
  token,
  atOnce,
}: Extract<SwarmOrder, { kind: "enrol" }>): Promise<SwarmReply> {
  const members: SwarmMember[] = [];
  let enrolment: { readonly rootKey: string; readonly tenantId: string } | undefined;
  let next = share.first;
  const enrolSome = async (): Promise<void> => {
    while (next < share.first + share.count) {
      const number = next;
      next += 1;
      const answer = await enrolledMachine(
        swarmIdentity(share.seed, number),
        token,
        share.place,
        meter,
      );
      members.push({ number, agentId: answer.agentId });
      enrolment = answer;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, share.count) }, enrolSome));
  const { rootKey = "", tenantId = "" } = enrolment ?? {};
  return { kind: "enrolled", members, rootKey, tenantId };
}

function startAll(order: Extract<SwarmOrder, { kind: "run" }>): void {
  const { share, members, rootKey, tenantId, haste, sessionEveryMs, lostAnswers } = order;
  const { urls, pins } = share.place;
  const clock = hastyClock(haste);
  for (const { number, agentId } of members) {
    const random = seededRandom(share.seed * 1_000_003 + number);
    // As a balancer would: each machine has another first choice.
    const first = number % urls.length;
    const place = { urls: [...urls.slice(first), ...urls.slice(0, first)], pins };
    const home = { agentId, tenantId, rootKey, place };
    const options = { clock, lostAnswers, random, meter };
    const agent = new SwarmAgent(swarmIdentity(share.seed, number), home, options);
    agents.push(agent);
    setTimeout(() => {
      agent.start();
      if (sessionEveryMs > 0) void endSessions(agent, sessionEveryMs, clock, random);
    }, random() * order.startWithinMs);
  }
}

async function endSessions(
  agent: SwarmAgent,
  everyMs: number,
  clock: Clock,
  random: () => number,
): Promise<void> {
  while (!haveSessionsEnded) {
    await clock.sleep(-Math.log(1 - random()) * everyMs, new AbortController().signal);
    if (!haveSessionsEnded) agent.endSession();
  }
}

process.on("message", (order: SwarmOrder) => {
  answer(order).then(
    (reply) => process.send?.(reply),
    (error: unknown) =>
      process.send?.({ kind: "failed", text: String(error) } satisfies SwarmReply),
  );
});
process.once("disconnect", () => process.exit(0));
