/** A process of the swarm: many machines, led by messages from the process that started it. */
import { setTimeout as sleep } from "node:timers/promises";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { enrolmentAnswer } from "../../protocol/control/enrolment.ts";
import { keyThumbprint } from "../../protocol/control/raw-keys.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { SwarmAgent } from "./swarm-agent.ts";
import { swarmEnrolment, swarmIdentity } from "./swarm-identity.ts";
import { SwarmLink } from "./swarm-link.ts";
import type { SwarmMember, SwarmOrder, SwarmReply } from "./swarm-messages.ts";
import { SwarmMeter } from "./swarm-meter.ts";
import { SwarmTrust } from "./swarm-trust.ts";

const never = new AbortController().signal;
const sessionsEnd = new AbortController();
const triesMax = 60;

const meter = new SwarmMeter();
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
      sessionsEnd.abort();
      return { kind: "no-more-sessions" };
    case "ledger":
      return {
        kind: "ledger",
        reported: agents.flatMap(({ reported }) => reported),
        done: agents.flatMap(({ done }) => done),
      };
  }
}

async function enrolAll({
  share,
  token,
  atOnce,
}: Extract<SwarmOrder, { kind: "enrol" }>): Promise<SwarmReply> {
  const members: SwarmMember[] = [];
  let rootKey = "";
  let tenantId = "";
  let next = share.first;
  const enrolSome = async (): Promise<void> => {
    while (next < share.first + share.count) {
      const number = next;
      next += 1;
      const member = await enrolOne(swarmIdentity(share.seed, number));
      members.push({ number, agentId: member.agentId });
      ({ rootKey, tenantId } = member);
    }
  };
  const enrolOne = async (identity: ReturnType<typeof swarmIdentity>) => {
    const link = new SwarmLink(identity, share.place, meter);
    try {
      for (let tries = 1; ; tries += 1) {
        const issuer = keyThumbprint(identity.identityKeyRaw);
        const { status, text, headers } = await link.request(
          {
            route: "enroll",
            method: "POST",
            path: agentApi.enroll,
            body: swarmEnrolment(identity, token),
            signal: never,
          },
          issuer,
        );
        if (status === 201) return enrolmentAnswer.parse(JSON.parse(text));
        if (tries === triesMax || ![202, 429, 503].includes(status))
          throw new Error(`enrolment was answered with ${status}: ${text.slice(0, 500)}`);
        await sleep(1000 * (Number(headers["retry-after"]) || 1) * (0.5 + Math.random()));
      }
    } finally {
      await link.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, share.count) }, enrolSome));
  return { kind: "enrolled", members, rootKey, tenantId };
}

function startAll(order: Extract<SwarmOrder, { kind: "run" }>): void {
  const { share, members, rootKey, tenantId, haste, sessionEveryMs, lostAnswers, startWithinMs } =
    order;
  for (const { number, agentId } of members) {
    const identity = swarmIdentity(share.seed, number);
    const random = seededRandom(share.seed * 1_000_003 + number);
    const options = { haste, sessionEveryMs, lostAnswers, random, sessionsEnd: sessionsEnd.signal };
    const link = new SwarmLink(identity, share.place, meter);
    const { sealingKey } = identity;
    const trust = new SwarmTrust({ rootKey, tenantId, agentId, sealingKey });
    const agent = new SwarmAgent(identity, agentId, link, trust, options);
    agents.push(agent);
    setTimeout(() => void agent.run(new AbortController().signal), random() * startWithinMs);
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
