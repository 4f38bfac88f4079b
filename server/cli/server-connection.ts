/** Which server a command speaks to, and as whom: options, variables of the environment, or the server's own folder. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { tlsPin } from "../../protocol/control/enrolment.ts";
import type { Environment } from "./environment.ts";
import type { ServerAccess } from "./management-client.ts";
import { secretFromFile } from "./secret-input.ts";

/** Written by the server at its start, readable by its own user only. */
export const localAccessFile = "local-access.json";

const localAccess = z.object({ url: z.url(), pin: z.string(), token: z.string().min(1) });

/** What commander makes of the options below. */
interface ConnectionOptions {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly pin?: string;
  readonly data?: string;
}

/** Adds the options that say which server is meant. */
export function addConnectionOptions(command: Command): void {
  command
    .optionsGroup("Options of every command that asks a server:")
    .option("--data <folder>", "data of a server on this machine ($BACKSTAY_SERVER_DATA)")
    .option("--server <url>", "address of a server elsewhere ($BACKSTAY_SERVER)")
    .option("--token-file <file>", "file with an API token ($BACKSTAY_SERVER_TOKEN_FILE)")
    .option("--pin <pin>", "sha256/… of the server's key ($BACKSTAY_SERVER_PIN)")
    .option("--json", "machine-readable output");
}

/** SERVER_ACCESS if it is not known how to reach one. */
export async function serverAccess(
  options: ConnectionOptions,
  environment: Environment,
): Promise<ServerAccess> {
  const server =
    options.server ?? (options.data === undefined ? environment["BACKSTAY_SERVER"] : undefined);
  if (server === undefined) {
    const folder = options.data ?? environment["BACKSTAY_SERVER_DATA"];
    if (folder === undefined) throw new BackstayError("SERVER_ACCESS");
    return await accessOf(folder);
  }
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw new BackstayError("USAGE", { problem: "--server is no http or https address" });
  const pin = options.pin ?? environment["BACKSTAY_SERVER_PIN"];
  if (pin !== undefined && !tlsPin.safeParse(pin).success)
    throw new BackstayError("USAGE", { problem: "--pin is not sha256/ and 43 characters" });
  const file = options.tokenFile ?? environment["BACKSTAY_SERVER_TOKEN_FILE"];
  if (file === undefined) throw new BackstayError("SERVER_ACCESS", { missing: "--token-file" });
  const token = new TextDecoder().decode(await secretFromFile(file));
  return { url: server.replace(/\/+$/, ""), token, pin };
}

async function accessOf(folder: string): Promise<ServerAccess> {
  const file = path.join(folder, localAccessFile);
  try {
    const { url, pin, token } = localAccess.parse(JSON.parse(await readFile(file, "utf8")));
    return { url, token, pin: pin === "" ? undefined : pin };
  } catch (error) {
    const problem =
      error instanceof Error && "code" in error && error.code === "EACCES"
        ? "this user may not read it"
        : "it is written when the server starts";
    throw new BackstayError("SERVER_ACCESS", { file, problem }, error);
  }
}
