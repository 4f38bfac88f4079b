/** One call to a web address, for messages: bounded in time and size, without following anybody elsewhere. */
import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";

export interface HttpCall {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const silenceMs = 30_000;
const answerCharactersMax = 300;

/** POSTs; rejects unless the answer is 2xx. The address may be a secret itself, so no error names more than its host. */
export async function post({ url, headers, body }: HttpCall, signal: AbortSignal): Promise<void> {
  const address = new URL(url);
  const request = address.protocol === "https:" ? secureRequest : plainRequest;
  const bytes = Buffer.from(body);
  await new Promise<void>((resolve, reject) => {
    const call = request(
      address,
      {
        method: "POST",
        signal,
        timeout: silenceMs,
        headers: { ...headers, "content-length": String(bytes.length) },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        let text = "";
        response.on("data", (piece: Buffer) => {
          if (text.length < answerCharactersMax) text += piece.toString();
          else response.destroy();
        });
        response.on("close", () => {
          if (status >= 200 && status < 300) resolve();
          else
            reject(
              new Error(
                `${address.host} answered ${status} ${text.slice(0, answerCharactersMax).replaceAll(/\s+/g, " ")}`.trim(),
              ),
            );
        });
      },
    );
    call.on("timeout", () => call.destroy(new Error(`${address.host} does not answer`)));
    call.on("error", (error: NodeJS.ErrnoException) =>
      reject(new Error(`${address.host} can't be reached: ${error.code ?? error.message}`)),
    );
    call.end(bytes);
  });
}
