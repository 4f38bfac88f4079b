/**
 * `Idempotency-Key`: a POST that is repeated after its answer was lost gets the first one's answer, and nothing is made
 * twice. Kept for a day. Answers may hold new tokens, so they are sealed.
 */
import { createHmac } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ServerGround } from "../ground/server-ground.ts";
import type { App } from "./http-app.ts";
import { Problem } from "./problem.ts";

const keptMs = 24 * 3_600_000;
/** After that a first request that has left no answer is taken to have died with its server. */
const underWayMs = 10 * 60_000;
const requestHeader = "idempotency-key";
const repeatedHeader = "idempotency-replayed";
const keyForm = /^[\x21-\x7e]{1,200}$/;

const keptHeaders = ["content-type", "etag", "location"];

interface Use {
  readonly actor: string;
  readonly key: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Heeds the header on each POST of `app` after its asker is known; `actorOf` says who that is. */
export function heedIdempotencyKeys(
  app: App,
  ground: ServerGround,
  actorOf: (request: FastifyRequest) => string,
): void {
  const uses = new WeakMap<FastifyRequest, Use>();
  const hashKey = ground.vault.derive("idempotency");

  app.addHook("preHandler", async (request, reply) => {
    const key = request.headers[requestHeader];
    if (request.method !== "POST" || key === undefined) return;
    if (typeof key !== "string" || !keyForm.test(key)) throw badKey();
    const use = { actor: actorOf(request), key };
    const said = JSON.stringify([request.url, request.body ?? null]);
    const requestHash = createHmac("sha256", hashKey).update(said).digest("hex");
    if (await begin(ground, use, requestHash)) uses.set(request, use);
    else return await repeat(ground, use, requestHash, reply);
  });

  app.addHook("onSend", async (request, reply, payload) => {
    const use = uses.get(request);
    if (use === undefined) return payload;
    uses.delete(request);
    const isLasting = reply.statusCode < 500 && ![409, 429].includes(reply.statusCode);
    const text = typeof payload === "string" ? payload : "";
    try {
      await (isLasting ? finish(ground, use, answerOf(reply, text)) : forget(ground, use));
    } catch (error) {
      // What was asked is done: it is told, and only a repetition of the request will have to wait.
      ground.log.failure("The answer to an Idempotency-Key was not kept.", error);
    }
    return payload;
  });
}

/** Removes what is older than a day. */
export async function forgetOldIdempotencyKeys(ground: ServerGround): Promise<void> {
  await ground.database
    .deleteFrom("idempotency_keys")
    .where("created_ms", "<", ground.now() - keptMs)
    .execute();
}

/** True if this is the first request of its key. */
async function begin(ground: ServerGround, use: Use, requestHash: string): Promise<boolean> {
  const now = ground.now();
  await ground.database
    .deleteFrom("idempotency_keys")
    .where("actor", "=", use.actor)
    .where("key", "=", use.key)
    .where((or) =>
      or.or([
        or("created_ms", "<", now - keptMs),
        or.and([or("status", "is", null), or("created_ms", "<", now - underWayMs)]),
      ]),
    )
    .execute();
  const row = { ...use, request_hash: requestHash, status: null, body: null, created_ms: now };
  const { numInsertedOrUpdatedRows } = await ground.database
    .insertInto("idempotency_keys")
    .values(row)
    .onConflict((conflict) => conflict.columns(["actor", "key"]).doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

async function repeat(
  ground: ServerGround,
  use: Use,
  requestHash: string,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const row = await ground.database
    .selectFrom("idempotency_keys")
    .selectAll()
    .where("actor", "=", use.actor)
    .where("key", "=", use.key)
    .executeTakeFirst();
  if (row !== undefined && row.request_hash !== requestHash) throw otherRequest();
  if (row === undefined || row.status === null || row.body === null) throw underWay();
  const kept = ground.vault.open(row.body, contextOf(use));
  const { headers, text } = JSON.parse(Buffer.from(kept).toString("utf8")) as Answer;
  return reply
    .status(row.status)
    .headers(headers)
    .header(repeatedHeader, "true")
    .serializer((body: unknown) => String(body))
    .send(text);
}

async function finish(ground: ServerGround, use: Use, answer: Answer): Promise<void> {
  const body = ground.vault.seal(Buffer.from(JSON.stringify(answer)), contextOf(use));
  await ground.database
    .updateTable("idempotency_keys")
    .set({ status: answer.status, body })
    .where("actor", "=", use.actor)
    .where("key", "=", use.key)
    .execute();
}

function answerOf(reply: FastifyReply, text: string): Answer {
  const headers: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = reply.getHeader(name);
    if (typeof value === "string") headers[name] = value;
  }
  return { status: reply.statusCode, headers, text };
}

async function forget(ground: ServerGround, use: Use): Promise<void> {
  await ground.database
    .deleteFrom("idempotency_keys")
    .where("actor", "=", use.actor)
    .where("key", "=", use.key)
    .execute();
}

function contextOf({ actor, key }: Use): string {
  return `idempotency ${actor} ${key}`;
}

function badKey(): Problem {
  return new Problem({
    status: 400,
    code: "idempotency-key-invalid",
    title: "An Idempotency-Key has 1 to 200 printable characters without spaces.",
  });
}

function otherRequest(): Problem {
  return new Problem({
    status: 422,
    code: "idempotency-key-reused",
    title: "The Idempotency-Key was used for another request before.",
  });
}

function underWay(): Problem {
  return new Problem({
    status: 409,
    code: "request-under-way",
    title: "The first request of this Idempotency-Key is still under way.",
    headers: { "retry-after": "1" },
  });
}
