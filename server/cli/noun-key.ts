/** `backstay-server key`: the keys by which machines know what comes from this server. */
import { writeFile } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { SigningKeyAnswer } from "../../protocol/management/repositories.ts";
import { offlineKeyVerbs } from "./offline-verbs.ts";
import { textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import { operand, said } from "./resource-verbs.ts";
import { tableLines } from "./text-table.ts";
import type { Verb } from "./verb.ts";

const path = "/api/v1/signing-keys";

const list: Verb = {
  name: "list",
  summary: "list the keys that sign",
  examples: ["backstay-server key list"],
  run: async ({ client }) => {
    const items = await (await client()).list<SigningKeyAnswer>(path);
    const rows = items.map(({ id, role, state, isOffline, createdMs, publicKey }) => [
      id,
      role,
      state,
      isOffline ? "offline" : "on the server",
      momentText(createdMs),
      publicKey,
    ]);
    return {
      json: items,
      lines: tableLines(["ID", "ROLE", "STATE", "PRIVATE HALF", "MADE", "PUBLIC KEY"], rows),
    };
  },
};

const create: Verb = {
  name: "create",
  summary: "add a key that signs from now on",
  examples: [
    "backstay-server key create policy",
    "backstay-server key create destination --public-key KEY",
  ],
  define: (command) => {
    command
      .argument("<role>", "policy or destination")
      .option("--public-key <key>", "of a destination key whose private half stays elsewhere");
  },
  run: async (call) => {
    const given = { role: operand(call), publicKey: textOf(call.options["publicKey"]) };
    const { body } = await (await call.client()).post(path, given);
    return said(body, `key ${(body as SigningKeyAnswer).id} signs from now on`);
  },
};

const retire: Verb = {
  name: "retire",
  summary: "end the belief in a key that signs nothing any more",
  examples: ["backstay-server key retire policy-0123456789ab"],
  define: (command) => void command.argument("<key>", "id"),
  run: async (call) => {
    const id = operand(call);
    await (await call.client()).post(`${path}/${encodeURIComponent(id)}/retire`);
    return said({ id }, `key ${id}: retired`);
  },
};

const takeOffline: Verb = {
  name: "take-offline",
  summary: "write the private half of a destination key to a file and remove it from the server",
  examples: ["backstay-server key take-offline destination-0123456789ab --file destination.key"],
  define: (command) => {
    command
      .argument("<key>", "id of a destination key")
      .requiredOption("--file <file>", "new file for the private half, readable by you only");
  },
  run: async (call) => {
    const id = operand(call);
    const file = String(call.options["file"]);
    // Made before the server forgets the key: nothing is lost if it can't be written.
    await writeFile(file, "", { mode: 0o600, flag: "wx" }).catch((error: unknown) => {
      const problem = error instanceof Error && "code" in error ? String(error.code) : "unwritable";
      throw new BackstayError("OUTPUT_UNWRITABLE", { file, problem }, error);
    });
    const { body } = await (await call.client()).post(
      `${path}/${encodeURIComponent(id)}/take-offline`,
    );
    await writeFile(file, `${(body as { privateKey: string }).privateKey}\n`);
    return said({ id, file }, `key ${id}: its private half is in ${file} now, and nowhere else`);
  },
};

export const keyVerbs: readonly Verb[] = [list, create, retire, takeOffline, ...offlineKeyVerbs];
