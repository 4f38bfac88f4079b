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
import { readAtMost } from "./standard-input.ts";

interface EnrollOptions {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly server?: string;
  readonly wait: boolean;
  readonly prepareImage?: boolean;
}

const lookMs = 1000;
const tokenBytesMax = 64 * 1024;

export const enrollCommand: CliCommand<EnrollOptions> = {
  worksUnread: true,

  define(command) {
    command
      .argument("[token]", "as the server printed it; - reads it from standard input")
      .option("--token <token>", "the same; others may see either in the list of processes")
      .option("--token-file <file>", "file that holds the token")
      .option("--server <url>", "address of the server, if the token's are not reached from here")
      .option("--no-wait", "do not wait for an administrator to approve it; exit code 3 then")
      .option("--prepare-image", "forget who this machine is, before it is copied; needs no token");
    command.addHelpText(
      "after",
      "\nWithout a token given here, BACKSTAY_ENROLL_TOKEN or the file that BACKSTAY_ENROLL_TOKEN_FILE names is used.",
    );
    addExamples(command, [
      "backstay enroll --token-file /run/enrolment-token",
      "BACKSTAY_ENROLL_TOKEN=bk1_… backstay enroll",
      "backstay enroll --prepare-image",
    ]);
  },

  async run(invocation) {
    const { options, environment, signal } = invocation;
    const client = daemonClient(environment);
    if (options.prepareImage === true) return await prepareImage(invocation, client);
    const token = await givenToken(invocation);
    if (!(await isRunning(client, signal))) {
      const { enrollHere } = await import("./fleet-identity.ts");
      const onWaiting = (text: string): void => tell(invocation, text);
      return show(
        invocation,
        await enrollHere(environment, token, { isPatient: options.wait, onWaiting, signal }),
      );
    }
    const answer = await client.enroll(token, signal);
    if (answer.state === "enrolled" || !options.wait) return show(invocation, answer);
    tell(invocation, answer.text);
    return show(invocation, await admitted(client, signal));
  },
};

async function prepareImage(invocation: Invocation, client: LocalClient): Promise<number> {
  const { environment, screen, globals, signal } = invocation;
  if (await isRunning(client, signal))
    throw new BackstayError("DAEMON_RUNNING", { problem: "end it before the image is made" });
  const { prepareImageHere } = await import("./fleet-identity.ts");
  await prepareImageHere(environment);
  if (globals.json) screen.line(JSON.stringify({ message_type: "image_prepared" }));
  else if (!globals.quiet)
    screen.line("the next start of the daemon, here or on a copy, is that of a new machine");
  return exitCodes.done;
}

async function isRunning(client: LocalClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.status(signal);
    return true;
  } catch (error) {
    if (isBackstayError(error, "DAEMON_UNREACHABLE")) return false;
    throw error;
  }
}

/** ENROLMENT_TOKEN_INVALID; USAGE if there is none, or more than one. */
async function givenToken(invocation: Invocation<EnrollOptions>): Promise<string> {
  const { server } = invocation.options;
  const token = parseEnrolmentToken(await tokenText(invocation));
  if (server === undefined) return encodeEnrolmentToken(token);
  if (URL.parse(server)?.protocol.startsWith("http") !== true)
    throw usage("--server must be an http or https address");
  return encodeEnrolmentToken({ ...token, u: [server, ...token.u] });
}

async function tokenText(invocation: Invocation<EnrollOptions>): Promise<string> {
  const { operands, options, environment, signal } = invocation;
  const given = [...operands, options.token].filter((text) => text !== undefined);
  if (given.length + Number(options.tokenFile !== undefined) > 1)
    throw usage("give one token only");
  if (given[0] === "-")
    return Buffer.from(await readAtMost(process.stdin, tokenBytesMax, signal)).toString();
  const plain = environment["BACKSTAY_ENROLL_TOKEN"] ?? "";
  const text = given[0] ?? (options.tokenFile === undefined ? plain : "");
  if (text !== "") return text;
  const file = options.tokenFile ?? environment["BACKSTAY_ENROLL_TOKEN_FILE"] ?? "";
  if (file === "") throw usage("give a token, --token-file or BACKSTAY_ENROLL_TOKEN");
  return Buffer.from(await fromFile(file, "--token-file", signal)).toString();
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { command: "enroll", problem });
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
    if (server?.state !== "enrolling")
      throw new BackstayError("AGENT_REFUSED", { detail: server?.problem ?? "it was given up" });
    await sleep(lookMs, undefined, { signal });
  }
}

function tell({ screen, globals }: Invocation, text: string): void {
  if (globals.quiet) return;
  if (globals.json) screen.line(JSON.stringify({ message_type: "waiting", text }));
  else screen.note(`waiting: ${printedMessage(text)}`);
}

function show({ screen, globals }: Invocation, answer: EnrolAnswer): number {
  const { state, agentId = "", tenant = "", text } = answer;
  if (globals.json) screen.line(JSON.stringify({ message_type: "enrolment", ...answer }));
  else if (state === "enrolled") screen.line(`enrolled as ${agentId} of ${printedMessage(tenant)}`);
  else screen.line(`not enrolled yet: ${printedMessage(text)}`);
  return state === "enrolled" ? exitCodes.done : exitCodes.incomplete;
}
