/** Asks a server over TLS as its pin says, and reads the whole answer. */
import { Agent, request } from "node:https";
import type { TLSSocket } from "node:tls";
import { pinOfKey } from "../../platform/server-pins.ts";

export interface PinnedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly pin: string;
}

export interface PinnedOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Keeps connections; a new one for each request if absent. */
  readonly agent?: Agent;
}

/** Rejects if the connection fails. What pin was shown is in the answer: whoever asks compares. */
export async function askPinned(url: string, options: PinnedOptions = {}): Promise<PinnedAnswer> {
  const { method = "GET", headers = {}, body, agent } = options;
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method, headers, rejectUnauthorized: false, agent: agent ?? new Agent() },
      (answer) => {
        const certificate = (answer.socket as TLSSocket).getPeerX509Certificate();
        const pin = certificate === undefined ? "" : pinOfKey(certificate.publicKey);
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part: string) => {
          text += part;
        });
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, pin }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
