/** `backstay enroll`: makes this machine a member of a server's fleet, with a token that the server gave. */
import { setTimeout as sleep } from "node:timers/promises";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import {
  encodeEnrolmentToken,
  parseEnrolmentToken,
} from "../../protocol/control/enrolment-token.ts";
import type { EnrolAnswer } from "../../protocol/local-api/orders.ts";
import type { LocalClient } from "../local-client/local-client.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { fromFile } from "./password-source.ts";
import { printedMessage } from "./printed-text.ts";

interface EnrollOptions {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly server?: string;
  readonly wait?: boolean;
  readonly prepareImage?: boolean;
}

const lookMs = 1000;

export const enrollCommand: CliCommand<EnrollOptions> = {
  define(command) {
    command
      .option("--token <token>", "the token; others may see it in the list of processes")
      .option("--token-file <file>", "file that holds the token ($BACKSTAY_ENROLL_TOKEN_FILE)")
      .option("--server <url>", "address of the server, if the token's are not reached from here")
      .option("--wait", "if an administrator must approve it, wait until that is done")
      .option("--prepare-image", "forget who this machine is, before it is copied; needs no token");
    addExamples(command, [
      "backstay enroll --token-file /etc/backstay/token",
      "BACKSTAY_ENROLL_TOKEN=bk1_… backstay enroll --wait",
      "backstay enroll --prepare-image",
    ]);
  },

  async run(invocation) {
    const { options, environment, screen, globals, signal } = invocation;
    const { enrollHere, prepareImageHere } = await import("./fleet-identity.ts");
    const client = daemonClient(environment);
    if (options.prepareImage === true) {
      if (await isRunning(client, signal))
        throw new BackstayError("DAEMON_RUNNING", { problem: "end it before the image is made" });
      await prepareImageHere(environment);
      if (!globals.quiet && !globals.json)
        screen.line("the next start of the daemon is that of a new machine");
      return exitCodes.done;
    }
    const token = await givenToken(invocation);
    const isPatient = options.wait === true;
    const onWaiting = ({ reason }: { readonly reason: string }): void => tell(invocation, reason);
    if (await isRunning(client, signal)) {
      const answer = await client.enroll(token, signal);
      if (answer.state === "enrolled" || !isPatient) return show(invocation, answer);
      onWaiting({ reason: answer.text });
      return show(invocation, await admitted(client, signal));
    }
    return show(invocation, await enrollHere(environment, token, isPatient, onWaiting, signal));
  },
};

async function isRunning(client: LocalClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.status(signal);
    return true;
  } catch (error) {
    if (isBackstayError(error, "DAEMON_UNREACHABLE")) return false;
    throw error;
  }
}

/** ENROLMENT_TOKEN_INVALID, USAGE if there is none or too many. */
async function givenToken(invocation: Invocation<EnrollOptions>): Promise<string> {
  const { options, environment, signal } = invocation;
  if (options.token !== undefined && options.tokenFile !== undefined)
    throw new BackstayError("USAGE", { problem: "give either --token or --token-file" });
  const file = options.tokenFile ?? environment["BACKSTAY_ENROLL_TOKEN_FILE"] ?? "";
  const plain = options.tokenFile === undefined ? environment["BACKSTAY_ENROLL_TOKEN"] : undefined;
  const text =
    options.token ??
    plain ??
    (file === "" ? "" : Buffer.from(await fromFile(file, "--token-file", signal)).toString());
  if (text === "")
    throw new BackstayError("USAGE", {
      command: "enroll",
      problem: "give a token with --token-file, --token or BACKSTAY_ENROLL_TOKEN",
    });
  const token = parseEnrolmentToken(text);
  const { server } = options;
  if (server === undefined) return encodeEnrolmentToken(token);
  if (URL.parse(server)?.protocol.startsWith("http") !== true)
    throw new BackstayError("USAGE", { problem: "--server must be an http or https address" });
  return encodeEnrolmentToken({ ...token, u: [server, ...token.u] });
}

/** Waits for the daemon to be admitted. AGENT_REFUSED if the server says no. */
async function admitted(client: LocalClient, signal: AbortSignal): Promise<EnrolAnswer> {
  for (;;) {
    const { server } = (await client.status(signal)).agent;
    if (server?.state === "enrolled") {
      const { agentId, tenant } = server;
      const known = {
        ...(agentId !== undefined && { agentId }),
        ...(tenant !== undefined && { tenant }),
      };
      return { state: "enrolled", ...known, text: "" };
    }
    if (server === undefined)
      throw new BackstayError("AGENT_REFUSED", { problem: "enrolment-denied" });
    await sleep(lookMs, undefined, { signal });
  }
}

function tell({ screen, globals }: Invocation, reason: string): void {
  if (!globals.quiet && !globals.json) screen.note(`waiting: ${printedMessage(reason)}`);
}

function show({ screen, globals }: Invocation, answer: EnrolAnswer): number {
  const { state, agentId = "", tenant = "", text } = answer;
  if (globals.json) screen.line(JSON.stringify({ message_type: "enrolment", ...answer }));
  else if (state === "enrolled") screen.line(`enrolled as ${agentId} of ${printedMessage(tenant)}`);
  else screen.line(`not enrolled yet: ${printedMessage(text)}`);
  return state === "enrolled" ? exitCodes.done : exitCodes.incomplete;
}
