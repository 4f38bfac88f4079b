/** Routes of the agents' API: time, enrolment, and an identity of its own for a copy. */
import type { KeyObject } from "node:crypto";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { publicKeyOf } from "../../protocol/control/curve-keys.ts";
import {
  type EnrolmentAnswer,
  type EnrolmentPending,
  enrolmentAnswer,
  enrolmentPending,
  enrolmentRequest,
  type ForkRequest,
  forkRequest,
} from "../../protocol/control/enrolment.ts";
import { keyThumbprint } from "../../protocol/control/key-thumbprint.ts";
import type { EnrolmentOutcome } from "../fleet/enrolments.ts";
import type { FleetIdentity } from "../fleet/fleet-identity.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "../http/http-app.ts";
import { requireSignedBy } from "./agent-authentication.ts";

export interface IdentityRouteParts {
  readonly ground: ServerGround;
  readonly fleet: Pick<FleetIdentity, "enrolments" | "forks">;
}

const decided = { 201: enrolmentAnswer, 202: enrolmentPending };

export function identityRoutes(app: App, { ground, fleet }: IdentityRouteParts): void {
  app.get(
    agentApi.time,
    {
      config: { access: { kind: "public" } },
      schema: { response: { 200: z.object({ timeMs: z.number() }) } },
    },
    async () => ({ timeMs: Math.round(ground.now()) }),
  );

  app.post(
    agentApi.enroll,
    {
      config: { access: { kind: "agent" } },
      schema: { body: enrolmentRequest, response: decided },
    },
    async (request, reply) => {
      const key = identityKeyOf(request.body);
      requireSignedBy(request, keyThumbprint(request.body.identityKey), key, ground.now());
      const outcome = await fleet.enrolments.enrol(request.body, request.ip);
      return await answer(reply, outcome);
    },
  );

  app.post(
    agentApi.fork,
    {
      config: { access: { kind: "agent" } },
      schema: { body: forkRequest, response: decided },
    },
    async (request, reply) => {
      const { identity, fingerprint, address } = request.agent;
      if (fingerprint === undefined)
        throw agentRefusal("body-invalid", "The signature names no fingerprint of the machine.");
      identityKeyOf(request.body);
      const asker = { identity, fingerprint, address };
      const outcome = await fleet.forks.ask(asker, request.body);
      return await answer(reply, outcome);
    },
  );
}

/** AGENT_REFUSED (`body-invalid`) if one of the two keys is none. */
function identityKeyOf({ identityKey, sealingKey }: ForkRequest): KeyObject {
  try {
    publicKeyOf("x25519", sealingKey);
    return publicKeyOf("ed25519", identityKey);
  } catch (error) {
    if (!isBackstayError(error, "KEY_INVALID")) throw error;
    throw agentRefusal("body-invalid", "One of the keys is none.");
  }
}

async function answer(
  reply: FastifyReply,
  outcome: EnrolmentOutcome,
): Promise<EnrolmentAnswer | EnrolmentPending> {
  if (outcome.kind === "admitted") {
    reply.status(201);
    return outcome.answer;
  }
  reply.status(202);
  return outcome.pending;
}
