/** Messages as mail. */
import type { Notice } from "./notice.ts";

export interface MailMessage {
  /** Host, or host:port; 465 speaks TLS from the start. */
  readonly server: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly hostName: string;
  readonly notices: readonly Notice[];
  /** The same for each attempt, so that a mail that came twice is known as one. */
  readonly messageId: string;
}

const silenceMs = 30_000;
const securePort = 465;
const usualPort = 25;

/** Sends one mail with all notices. Rejects if any receiver was refused, or anything else went wrong. */
export async function sendMail(message: MailMessage, signal: AbortSignal): Promise<void> {
  // Few daemons send mail, and none at its start.
  const { createTransport } = await import("nodemailer");
  const { server, from, to, user, password, hostName, notices, messageId } = message;
  const { host, port } = serverParts(server);
  const hasAccount = user !== undefined && password !== undefined;
  const transport = createTransport({
    host,
    port,
    secure: port === securePort,
    // A password is not sent for everybody to read, but within this machine.
    requireTLS: hasAccount && !isLoopback(host),
    // Without one, encryption that proves nothing is still better than none.
    tls: { rejectUnauthorized: hasAccount || port === securePort },
    ...(hasAccount && { auth: { user, pass: password } }),
    connectionTimeout: silenceMs,
    greetingTimeout: silenceMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const end = (): void => transport.close();
  signal.addEventListener("abort", end, { once: true });
  try {
    signal.throwIfAborted();
    const info = await transport.sendMail({
      from,
      to: [...to],
      subject: mailSubject(notices, hostName),
      text: mailText(notices, hostName),
      messageId: `<${messageId}@backstay>`,
      headers: { "Auto-Submitted": "auto-generated", "X-Backstay-Host": hostName },
    });
    const { rejected } = info as { rejected?: readonly unknown[] };
    if (rejected !== undefined && rejected.length > 0)
      throw new Error(`${host} refused ${rejected.length} of ${to.length} receivers`);
  } finally {
    signal.removeEventListener("abort", end);
    transport.close();
  }
}

export function mailSubject(notices: readonly Notice[], hostName: string): string {
  const worst = ["failure", "warning", "success"] as const;
  const level = worst.find((each) => notices.some((notice) => notice.level === each));
  const first = notices.find((notice) => notice.level === level) ?? notices[0];
  const more = notices.length === 1 ? "" : ` (and ${notices.length - 1} more)`;
  return `[backstay ${hostName}] ${first.title}${more}`;
}

function mailText(notices: readonly Notice[], hostName: string): string {
  const parts = notices.map(({ title, text, timeMs }) => {
    const time = new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
    return `${title}\n${time}\n\n${text}\n`;
  });
  return `${parts.join("\n--------\n\n")}\nFrom Backstay on ${hostName}; \`backstay status\` there tells more.\n`;
}

function serverParts(server: string): { host: string; port: number } {
  const [, host = server, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(server) ?? [];
  return { host: host.replaceAll(/[[\]]/g, ""), port: Number(port ?? usualPort) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
