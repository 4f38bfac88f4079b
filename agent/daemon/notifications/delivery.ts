/** Sends notices by the channel that is asked for, with the secrets that it needs. */
import { sendMail } from "./mail.ts";
import type { Deliver } from "./outbox-sender.ts";
import { sendPings } from "./ping.ts";
import { sendWebhook } from "./webhook.ts";

export interface DeliveryParts {
  /** What a policy (empty: the agent itself) means by a name. */
  readonly secret: (policy: string, name: string) => Promise<Uint8Array>;
  /** Told of each secret that is read, so that no log shows it. */
  readonly onSecret: (secret: string) => void;
  readonly hostName: string;
  readonly nowMs: () => number;
}

export function delivery({ secret, onSecret, hostName, nowMs }: DeliveryParts): Deliver {
  const secretText = async (
    policy: string,
    reference: { readonly secret: string } | undefined,
  ): Promise<string | undefined> => {
    if (reference === undefined) return undefined;
    const text = new TextDecoder()
      .decode(await secret(policy, reference.secret))
      .replace(/\r?\n$/, "");
    onSecret(text);
    return text;
  };
  return async (channel, { mail, webhook, ping }, notices, messageId, signal) => {
    const { policy } = notices[0];
    if (channel === "mail" && mail !== undefined) {
      const { server, from, to, user } = mail;
      const password = await secretText(policy, mail.password);
      const message = { server, from, to, user, password, hostName, notices, messageId };
      await sendMail(message, signal);
    }
    if (channel === "webhook" && webhook !== undefined) {
      const key = await secretText(policy, webhook.key);
      const timeMs = nowMs();
      await sendWebhook({ url: webhook.url, key, hostName, notices, messageId, timeMs }, signal);
    }
    if (channel === "ping" && ping !== undefined) await sendPings(ping.url, notices, signal);
  };
}
