/** Messages as calls to a web address, signed so that the receiver knows who sent them and that they are fresh. */
import { createHmac } from "node:crypto";
import { post } from "./http-call.ts";
import type { Notice } from "./notice.ts";

export interface WebhookMessage {
  readonly url: string;
  /** Shared with the receiver; absent: not signed. */
  readonly key: string | undefined;
  readonly hostName: string;
  readonly notices: readonly Notice[];
  /** The same for each attempt. */
  readonly messageId: string;
  /** Ms since 1970. */
  readonly timeMs: number;
}

export async function sendWebhook(message: WebhookMessage, signal: AbortSignal): Promise<void> {
  const { url, key, hostName, notices, messageId, timeMs } = message;
  const body = JSON.stringify({ version: 1, id: messageId, host: hostName, notices });
  const timestamp = String(Math.floor(timeMs / 1000));
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": "backstay",
    "backstay-message-id": messageId,
    "backstay-timestamp": timestamp,
  };
  if (key !== undefined)
    headers["backstay-signature"] = `v1=${webhookSignature(key, timestamp, body)}`;
  await post({ url, headers, body }, signal);
}

/** HMAC-SHA256 of `TIMESTAMP.BODY`, hex. */
export function webhookSignature(key: string, timestamp: string, body: string): string {
  return createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex");
}
