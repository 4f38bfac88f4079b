/** Refusals that agents tell apart: thrown by the server's rooms, sent as problem documents, thrown again on the machine. */
import { BackstayError, isBackstayError } from "../backstay-error.ts";
import { type AgentProblemCode, agentProblemCodes } from "./agent-api.ts";

/** HTTP status and what people read. */
export const agentProblems: Readonly<
  Record<AgentProblemCode, { readonly status: number; readonly title: string }>
> = {
  "token-unknown": { status: 403, title: "This server knows no such enrolment token." },
  "token-expired": { status: 403, title: "The enrolment token has expired." },
  "token-exhausted": { status: 403, title: "The enrolment token was used as often as it may be." },
  "token-network": {
    status: 403,
    title: "The enrolment token does not count in the network of this machine.",
  },
  "enrolment-denied": { status: 403, title: "An administrator has denied the enrolment." },
  "agent-unknown": { status: 401, title: "This server knows no such agent." },
  "agent-suspended": { status: 403, title: "The agent is suspended." },
  "agent-revoked": { status: 403, title: "The agent's identity was revoked." },
  "signature-invalid": { status: 401, title: "The request is not signed as it must be." },
  "request-replayed": { status: 401, title: "The request was seen before." },
  "clock-skew": { status: 401, title: "The time of the request is too far from the server's." },
  "identity-conflict": { status: 409, title: "Another machine uses the same identity." },
  "licence-exceeded": { status: 403, title: "The licence of the server admits no more machines." },
  "quota-exceeded": { status: 403, title: "The tenant's quota is used up." },
  "account-unavailable": {
    status: 503,
    title: "The server can't get an account for the storage now.",
  },
  "rate-limited": { status: 429, title: "Too many requests in a short time." },
  overloaded: { status: 503, title: "The server has too much to do now." },
  "upgrade-required": { status: 426, title: "The server needs a newer agent." },
  "body-invalid": { status: 400, title: "The request's content is not as it must be." },
  "not-found": { status: 404, title: "There is no such thing." },
};

/** `detail` is for people: what exactly, never a secret. */
export function agentRefusal(
  problem: AgentProblemCode,
  detail: string = agentProblems[problem].title,
): BackstayError<"AGENT_REFUSED"> {
  return new BackstayError("AGENT_REFUSED", { problem, detail });
}

/** Why the server refuses; undefined for every other error. */
export function refusalOf(error: unknown): AgentProblemCode | undefined {
  if (!isBackstayError(error, "AGENT_REFUSED")) return undefined;
  return agentProblemCodes.find((code) => code === error.context["problem"]);
}
