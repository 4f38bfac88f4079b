/** Verbs for keys that no server has: they ask none, and may be run on a machine that reaches none. */
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  newPrivateKey,
  privateKeyOf,
  rawPrivateKey,
  rawPublicKey,
} from "../../protocol/control/curve-keys.ts";
import { issueLicence, signDestination } from "../../protocol/control/offline-signing.ts";
import { newRecoveryKey, openRecovery } from "../../protocol/control/recovery-key.ts";
import type { SigningKey } from "../../protocol/control/signed-document.ts";
import { countOption, fileText, momentOption } from "./option-values.ts";
import { operand } from "./resource-verbs.ts";
import type { Verb, VerbCall } from "./verb.ts";

const graceDaysUsual = 30;

const makeKey: Verb = {
  name: "make",
  summary: "make a destination key on this machine, for `key create destination --public-key`",
  isLocal: true,
  examples: ["backstay-server key make --file destination.key"],
  define: (command) =>
    void command.requiredOption("--file <file>", "new file for the private half, yours only"),
  run: async ({ options }) => {
    const key = newPrivateKey("ed25519");
    const publicKey = rawPublicKey(key);
    await writePrivateHalf(String(options["file"]), rawPrivateKey(key));
    return { json: { publicKey }, lines: [publicKey] };
  },
};

const sign: Verb = {
  name: "sign",
  summary: "sign what `repository unsigned` printed, for `repository sign`",
  isLocal: true,
  examples: [
    "backstay-server key sign destination.json --key destination.key --key-id destination-0123456789ab > destination.jws",
  ],
  define: (command) => {
    command
      .argument("<document>", "file")
      .requiredOption("--key <file>", "private half of the destination key")
      .requiredOption("--key-id <id>", "its id on the server, as `key list` shows it");
  },
  run: async (call) => {
    const content = jsonOf(operand(call), await fileText(operand(call)));
    const jws = signDestination(content, await signingKeyOf(call));
    return { json: { jws }, lines: [jws] };
  },
};

const makeIssuer: Verb = {
  name: "make-issuer",
  summary: "make a key that issues licences, for `serve --licence-issuer`",
  isLocal: true,
  examples: ["backstay-server licence make-issuer acme-1 --file issuer.key > issuer.json"],
  define: (command) => {
    command
      .argument("<id>", "name of the key, in every licence that it signs")
      .requiredOption("--file <file>", "new file for the private half, yours only");
  },
  run: async (call) => {
    const key = newPrivateKey("ed25519");
    await writePrivateHalf(String(call.options["file"]), rawPrivateKey(key));
    const issuer = { id: operand(call), key: rawPublicKey(key) };
    return { json: issuer, lines: [JSON.stringify(issuer)] };
  },
};

const issue: Verb = {
  name: "issue",
  summary: "issue a licence with a key of `licence make-issuer`",
  isLocal: true,
  examples: [
    "backstay-server licence issue Acme --key issuer.key --key-id acme-1 --workstations 500 --servers 20 --until 2027-12-31 > licence.jws",
  ],
  define: (command) => {
    command
      .argument("<holder>", "who may use it")
      .requiredOption("--key <file>", "private half of the issuer's key")
      .requiredOption("--key-id <id>", "name of that key")
      .option("--id <id>", "id of the licence; made up if absent")
      .option("--workstations <n>", "most workstations; any number if absent")
      .option("--servers <n>", "most servers; any number if absent")
      .option("--until <when>", "date or duration until which it is valid; without end if absent")
      .option("--grace-days <n>", `so long after that all goes on as before (${graceDaysUsual})`);
  },
  run: async (call) => {
    const { options } = call;
    const nowMs = Date.now();
    const id = options["id"];
    const jws = issueLicence(
      {
        type: "licence",
        id: typeof id === "string" ? id : randomUUID(),
        holder: operand(call),
        machines: {
          workstation: countOption("workstations", options["workstations"]),
          server: countOption("servers", options["servers"]),
        },
        validUntilMs: momentOption("until", options["until"], nowMs),
        graceDays: countOption("grace-days", options["graceDays"]) ?? graceDaysUsual,
        issuedMs: nowMs,
      },
      await signingKeyOf(call),
    );
    return { json: { jws }, lines: [jws] };
  },
};

const makeRecoveryKey: Verb = {
  name: "make-key",
  summary: "make a recovery key on this machine, for `tenant set --recovery-key`",
  isLocal: true,
  examples: ["backstay-server escrow make-key --file recovery.key"],
  define: (command) =>
    void command.requiredOption("--file <file>", "new file for the private half, yours only"),
  run: async ({ options }) => {
    const { id, publicKey, privateKey } = newRecoveryKey();
    await writePrivateHalf(String(options["file"]), privateKey);
    return {
      json: { id, publicKey },
      lines: [`--recovery-key ${publicKey} --recovery-key-id ${id}`],
    };
  },
};

const open: Verb = {
  name: "open",
  summary: "open what `escrow release` printed with the private recovery key",
  isLocal: true,
  examples: [
    "backstay-server escrow open password.jwe --key recovery.key --agent AGENT --repository REPOSITORY",
  ],
  define: (command) => {
    command
      .argument("<sealed>", "file")
      .requiredOption("--key <file>", "private half of the recovery key")
      .requiredOption("--agent <id>", "id of the machine whose password it must be")
      .requiredOption("--repository <id>", "id of the repository that it must open");
  },
  run: async (call) => {
    const { options } = call;
    const sealed = (await fileText(operand(call))).trim();
    const { keyName, password } = openRecovery(sealed, await privateHalfOf(options["key"]), {
      agentId: String(options["agent"]),
      repositoryId: String(options["repository"]),
    });
    return { json: { keyName, password }, lines: [password] };
  },
};

export const offlineKeyVerbs: readonly Verb[] = [makeKey, sign];
export const offlineLicenceVerbs: readonly Verb[] = [makeIssuer, issue];
export const offlineEscrowVerbs: readonly Verb[] = [makeRecoveryKey, open];

/** Never over a key that is there. */
async function writePrivateHalf(file: string, privateKey: string): Promise<void> {
  try {
    await writeFile(file, `${privateKey}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const problem = error instanceof Error && "code" in error ? String(error.code) : "unwritable";
    throw new BackstayError("OUTPUT_UNWRITABLE", { file, problem }, error);
  }
}

async function privateHalfOf(file: unknown): Promise<string> {
  return (await fileText(String(file))).trim();
}

async function signingKeyOf({ options }: VerbCall): Promise<SigningKey> {
  const privateKey = privateKeyOf("ed25519", await privateHalfOf(options["key"]));
  return { id: String(options["keyId"]), privateKey };
}

function jsonOf(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BackstayError("USAGE", { file, problem: "it holds no JSON" }, error);
  }
}
