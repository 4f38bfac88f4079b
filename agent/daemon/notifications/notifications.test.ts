/** Messages through real servers: mail, signed calls, pings; what fails waits, what is no news is not told. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openClock } from "../../../platform/open-clock.ts";
import { type Notifications, notifications } from "../../../protocol/policy/policy.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { openMemoryState } from "../../../test/daemon/memory-state.ts";
import { SmallMailServer } from "../../../test/mail/small-mail-server.ts";
import type { State } from "../../state/state.ts";
import { delivery } from "./delivery.ts";
import { endNotice, type Notice, startNotice } from "./notice.ts";
import { mergedWays, Notifier } from "./notifier.ts";
import { OutboxSender } from "./outbox-sender.ts";
import { webhookSignature } from "./webhook.ts";

const session: SessionRecord = {
  id: "0123456789abcdef",
  policy: "documents",
  kind: "backup",
  cause: { kind: "schedule", text: "every day at 22:30" },
  attempt: 1,
  priority: 0,
  repository: "/mnt",
  state: "finished",
  queuedMs: 1_000_000,
  startedMs: 2_000_000,
  finishedMs: 2_060_000,
  outcome: "success",
  issues: 0,
  scripts: [],
};
const failure = {
  code: "STORE_MISSING",
  kind: "permanent",
  message: "The place of the storage is not there.",
  remedy: "Check that its disk is mounted.",
} as const;
const failed: SessionRecord = { ...session, outcome: "failure", failure };

interface Call {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

class CallsServer {
  readonly calls: Call[] = [];
  status = 200;
  readonly #server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      this.calls.push({ url: request.url ?? "", headers: request.headers, body });
      response.writeHead(this.status).end("said");
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let state: State;
let nowMs = 0;
let ways: Notifications;
let sender: OutboxSender;
const attempts: (string | undefined)[] = [];
const secrets = { read: async (name: string) => Buffer.from(`secret of ${name}\n`) };
const seenSecrets: string[] = [];

function tell(...notices: readonly (Notice | undefined)[]): void {
  const notifier = new Notifier({
    outbox: state.outbox,
    facts: state.facts,
    nowMs: () => nowMs,
    waysOf: () => ways,
    onAdded: () => undefined,
  });
  for (const notice of notices) if (notice !== undefined) notifier.tell(notice);
}

/** Sends until nothing is due any more. */
async function send(): Promise<void> {
  const clock = openClock();
  const deliver = delivery({
    secret: async (_policy, name) => await secrets.read(name),
    onSecret: (secret) => seenSecrets.push(secret),
    hostName: "host",
    nowMs: () => nowMs,
  });
  await new Promise<void>((resolve) => {
    sender = new OutboxSender({
      outbox: state.outbox,
      clock: {
        now: () => nowMs,
        monotonic: () => clock.monotonic(),
        sleep: async (_, signal) => {
          resolve();
          await clock.sleep(60_000, signal);
        },
      },
      chance: () => 0.5,
      waysOf: () => ways,
      deliver,
      onAttempt: (_channel, _policy, problem) => {
        attempts.push(problem);
        if (state.outbox.waiting() === 0) setImmediate(resolve);
      },
    });
    sender.start();
    if (state.outbox.waiting() === 0) resolve();
  });
  await sender.stop();
}

beforeEach(() => {
  state = openMemoryState();
  nowMs = 1_700_000_000_000;
  attempts.length = 0;
  seenSecrets.length = 0;
});
afterEach(() => state.close());

describe("mail", () => {
  const server = new SmallMailServer();
  let address = "";
  beforeEach(async () => {
    address = await server.start();
    server.mails.length = 0;
    ways = notifications.parse({
      mail: {
        server: address,
        from: "backup@example.org",
        to: ["ann@example.org", "bob@example.org"],
        user: "u",
        password: { secret: "mail" },
      },
    });
  });
  afterEach(async () => await server.stop());

  it("tells of a failure with its reason and remedy, to everybody, by the account that is named", async () => {
    tell(endNotice(failed));
    await send();
    const [mail] = server.mails;
    expect(mail).toMatchObject({
      from: "backup@example.org",
      to: ["ann@example.org", "bob@example.org"],
      account: ["u", "secret of mail"],
    });
    expect(mail?.data).toContain("Subject: [backstay host] Backup of documents failed");
    expect(mail?.data).toContain("Check that its disk is mounted.");
    expect(mail?.data).not.toContain("secret of mail");
    expect(seenSecrets).toEqual(["secret of mail"]);
    expect(state.outbox.waiting()).toBe(0);
  });

  it("is tried again later when the server refuses it, and comes once", async () => {
    server.refusals = 1;
    tell(endNotice(failed));
    await send();
    expect(server.mails).toEqual([]);
    expect(attempts[0]).toMatch(/451/);
    expect(state.outbox.waiting()).toBe(1);
    nowMs += 3_600_000;
    await send();
    expect(server.mails).toHaveLength(1);
    expect(attempts.at(-1)).toBe(undefined);
  });

  it("does not tell the same failure at each retry, but once a day, and then that all is well", async () => {
    for (let retry = 0; retry < 50; retry += 1) {
      tell(endNotice({ ...failed, attempt: retry + 1 }));
      nowMs += 600_000;
    }
    expect(state.outbox.waiting()).toBe(1);
    nowMs += 24 * 3_600_000;
    tell(endNotice(failed));
    expect(state.outbox.waiting()).toBe(2);
    tell(endNotice({ ...failed, failure: { ...failure, code: "STORE_FULL" } }));
    expect(state.outbox.waiting()).toBe(3);
    tell(endNotice(session), endNotice(session));
    expect(state.outbox.waiting()).toBe(4);
    await send();
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]?.data).toContain("(and 3 more)");
  });

  it("of one digest is one mail, at its end", async () => {
    ways = mergedWays(notifications.parse({ digest: "1h" }), ways);
    const other = { ...failed, failure: { ...failure, code: "STORE_FULL" } };
    const notices = [endNotice(failed), endNotice(other)];
    const notifier = new Notifier({
      outbox: state.outbox,
      facts: state.facts,
      nowMs: () => nowMs,
      waysOf: () => ways,
      onAdded: () => undefined,
    });
    for (const notice of notices) {
      if (notice !== undefined) notifier.tell(notice);
      nowMs += 600_000;
    }
    expect(state.outbox.due(nowMs, 10)).toEqual([]);
    nowMs += 3_600_000;
    await send();
    expect(server.mails).toHaveLength(1);
  });
});

describe("calls to web addresses", () => {
  const server = new CallsServer();
  let url = "";
  beforeEach(async () => {
    url = await server.start();
    server.calls.length = 0;
    server.status = 200;
  });
  afterEach(async () => await server.stop());

  it("are signed, so that the receiver can tell who sent them and when", async () => {
    ways = notifications.parse({ webhook: { url: `${url}/hook`, key: { secret: "hook" } } });
    tell(endNotice(failed));
    await send();
    const [{ headers, body }] = server.calls;
    const timestamp = String(headers["backstay-timestamp"]);
    expect(Number(timestamp)).toBe(nowMs / 1000);
    const wanted = webhookSignature("secret of hook", timestamp, body);
    expect(headers["backstay-signature"]).toBe(`v1=${wanted}`);
    expect(JSON.parse(body)).toMatchObject({
      version: 1,
      host: "host",
      notices: [{ policy: "documents", level: "failure", session: session.id }],
    });
  });

  it("wait when the receiver has trouble, and no error shows the address", async () => {
    ways = notifications.parse({ webhook: { url: `${url}/secret-path` } });
    server.status = 500;
    tell(endNotice(failed));
    await send();
    expect(attempts[0]).toMatch(/answered 500/);
    expect(attempts[0]).not.toContain("secret-path");
    server.status = 204;
    nowMs += 3_600_000;
    await send();
    expect(server.calls.map(({ headers }) => headers["backstay-message-id"])).toEqual([
      server.calls[0]?.headers["backstay-message-id"],
      server.calls[0]?.headers["backstay-message-id"],
    ]);
    expect(state.outbox.waiting()).toBe(0);
  });

  it("ping at each start, success and failure, in that order", async () => {
    ways = notifications.parse({ ping: { url: `${url}/check-id` } });
    tell(startNotice(session), endNotice(session), startNotice(failed), endNotice(failed));
    tell(endNotice({ ...session, outcome: "canceled" }));
    await send();
    expect(server.calls.map((call) => call.url.replace(/\?.*/, ""))).toEqual([
      "/check-id/start",
      "/check-id",
      "/check-id/start",
      "/check-id/fail",
    ]);
    expect(server.calls[0]?.url).toContain("rid=00000000-0000-0000-0123-456789abcdef");
    expect(server.calls[3]?.body).toContain("not there");
  });

  it("are dropped when nobody wants them any more", async () => {
    ways = notifications.parse({ webhook: { url } });
    tell(endNotice(failed));
    ways = notifications.parse({});
    await send();
    expect([server.calls, state.outbox.waiting()]).toEqual([[], 0]);
  });
});
