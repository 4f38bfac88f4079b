/** `backstay-server secret`: passwords and keys that policies and routes name. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { SecretAnswer } from "../../protocol/management/repositories.ts";
import { textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import {
  addTenantOption,
  listVerb,
  operand,
  type ResourceKind,
  removeVerb,
  said,
  tenantIdOf,
} from "./resource-verbs.ts";
import { secretFromFile, secretFromInput } from "./secret-input.ts";
import type { Verb } from "./verb.ts";

export const secrets: ResourceKind = { noun: "secret", path: "/api/v1/secrets" };

/** The body that sets a secret: as text where it is text. */
export function secretBodyOf(value: Uint8Array): { value: string; encoding: "text" | "base64" } {
  try {
    return {
      value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value),
      encoding: "text",
    };
  } catch {
    return { value: Buffer.from(value).toString("base64"), encoding: "base64" };
  }
}

const set: Verb = {
  name: "set",
  summary: "keep a secret, new or in place of the one before",
  examples: [
    "backstay-server secret set s3-account --file s3.json",
    "pass show backup | backstay-server secret set repository-password",
  ],
  define: (command) => {
    command
      .argument("<name>", "name for policies to use")
      .option("--file <file>", "file with the value; standard input if absent");
    addTenantOption(command);
  },
  run: async (call) => {
    const file = textOf(call.options["file"]);
    const value =
      file === undefined
        ? await secretFromInput(call.io.input, call.io.note)
        : await secretFromFile(file);
    const given = { tenantId: await tenantIdOf(call), name: operand(call), ...secretBodyOf(value) };
    const { body } = await (await call.client()).post(secrets.path, given);
    const { name, version } = body as SecretAnswer;
    if (name !== operand(call)) throw new BackstayError("SERVER_ANSWER", { secret: operand(call) });
    return said(body, `secret ${name}: kept (version ${version})`);
  },
};

export const secretVerbs: readonly Verb[] = [
  listVerb<SecretAnswer>({
    kind: secrets,
    summary: "list secrets, never their values",
    examples: ["backstay-server secret list"],
    titles: ["NAME", "VERSION", "MADE", "ID"],
    row: ({ name, version, createdMs, id }) => [name, String(version), momentText(createdMs), id],
  }),
  set,
  removeVerb({
    kind: secrets,
    summary: "remove a secret that no policy and no repository names",
    example: "backstay-server secret remove s3-account",
    done: "removed",
  }),
];
