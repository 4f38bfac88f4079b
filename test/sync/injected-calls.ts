/** A machine's way to a server in the same process, with all the faults of a network that a test asks for. */
import { randomBytes, randomUUID } from "node:crypto";
import type { ServerAnswer, ServerCall, ServerCalls } from "../../agent/control/server-calls.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentProblemCodes } from "../../protocol/control/agent-api.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import { signRequest } from "../../protocol/control/request-signature.ts";
import type { App } from "../../server/http/http-app.ts";
import type { SwarmIdentity } from "../swarm/swarm-identity.ts";

export interface InjectedPlace {
  readonly identity: SwarmIdentity;
  /** The server that runs now. */
  readonly app: () => App;
  /** Wall clock, ms since 1970. */
  readonly nowMs: () => number;
}

/** What becomes of a request on its way there, or of its answer on its way back. */
export type Fate = "arrives" | "request-lost" | "answer-lost";

export class InjectedCalls implements ServerCalls {
  /** Asked for each request. */
  fate: (call: ServerCall) => Fate = () => "arrives";
  /** How many arrived at the server, by path. */
  readonly arrived = new Map<string, number>();
  readonly #place: InjectedPlace;
  readonly #agentId: string;
  readonly #run = randomUUID();

  constructor(place: InjectedPlace, agentId: string) {
    this.#place = place;
    this.#agentId = agentId;
  }

  async call(call: ServerCall): Promise<ServerAnswer> {
    call.signal.throwIfAborted();
    const fate = this.fate(call);
    if (fate === "request-lost") throw lost("the request was lost on purpose");
    this.arrived.set(call.path, (this.arrived.get(call.path) ?? 0) + 1);
    const answer = await this.#answer(call);
    call.signal.throwIfAborted();
    if (fate === "answer-lost") throw lost("the answer was lost on purpose");
    return answer;
  }

  async #answer({ method, path, body, headers }: ServerCall): Promise<ServerAnswer> {
    const { identity, app, nowMs } = this.#place;
    const payload = body === undefined ? "" : JSON.stringify(body);
    const authorization = signRequest(
      {
        issuer: this.#agentId,
        method,
        path,
        body: Buffer.from(payload),
        timeMs: nowMs(),
        nonce: randomBytes(16).toString("base64url"),
        sender: { run: this.#run, fingerprint: { ...identity.fingerprint } },
      },
      identity.identityKey,
    );
    const answer = await app().inject({
      method,
      url: path,
      headers: {
        ...headers,
        authorization,
        ...(payload !== "" && { "content-type": "application/json" }),
      },
      ...(payload !== "" && { payload }),
    });
    const { statusCode: status } = answer;
    const parsed: unknown = answer.body === "" ? undefined : JSON.parse(answer.body);
    if (status >= 400) {
      const problem = agentProblemCodes.find((code) => code === (parsed as { code: string }).code);
      if (problem === undefined) throw lost(`an answer ${status}: ${answer.body}`);
      throw agentRefusal(problem, answer.body);
    }
    const header = (name: string): string | undefined => answer.headers[name]?.toString();
    return { status, header, body: parsed };
  }
}

function lost(problem: string): BackstayError {
  return new BackstayError("LINK_FAILED", { server: "in this process", problem });
}
