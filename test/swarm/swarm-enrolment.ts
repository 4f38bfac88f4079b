/** Enrols a machine of a swarm as an agent does, through the real route. */
import { setTimeout as sleep } from "node:timers/promises";
import { retryAfterMs } from "../../agent/control/retry-after.ts";
import { ServerLink, type ServerPlace } from "../../agent/control/server-link.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { refusalOf } from "../../protocol/control/agent-problem.ts";
import { type EnrolmentAnswer, enrolmentAnswer } from "../../protocol/control/enrolment.ts";
import { keyThumbprint } from "../../protocol/control/key-thumbprint.ts";
import { hastyClock } from "./hasty-clock.ts";
import { MeasuredCalls } from "./measured-calls.ts";
import { type SwarmIdentity, swarmEnrolment } from "./swarm-identity.ts";
import type { SwarmMeter } from "./swarm-meter.ts";

const never = new AbortController().signal;
const triesMax = 120;

/** Waits as it is told while the server takes no more machines at once. Rejects with what it refuses. */
export async function enrolledMachine(
  identity: SwarmIdentity,
  token: { readonly i: string; readonly s: string },
  place: ServerPlace,
  meter: SwarmMeter,
): Promise<EnrolmentAnswer> {
  const issuer = keyThumbprint(identity.identityKeyRaw);
  const link = new ServerLink({
    identity: { issuer, key: identity.identityKey },
    place,
    clock: hastyClock(1),
    environment: {},
  });
  const calls = new MeasuredCalls(link, meter, identity.address);
  const body = swarmEnrolment(identity, token);
  try {
    for (let tries = 1; ; tries += 1)
      try {
        const answer = await calls.call({
          method: "POST",
          path: agentApi.enroll,
          body,
          signal: never,
        });
        return enrolmentAnswer.parse(answer.body);
      } catch (error) {
        const refusal = refusalOf(error);
        const isBusy = refusal === "rate-limited" || refusal === "overloaded";
        if (!isBusy || tries === triesMax) throw error;
        await sleep((retryAfterMs(error) ?? 1000) * (1 + Math.random()));
      }
  } finally {
    link.close();
  }
}
