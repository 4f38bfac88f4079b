/** The account of an S3 store that nobody gives: from the environment, or from the file that the programs of Amazon share. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { AccountSource, StorageAccount } from "../account-source.ts";
import type { S3Environment } from "./s3-address.ts";

/** What requests are signed with. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/**
 * Keys of the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`); without them those of
 * `AWS_PROFILE` in the shared file (`AWS_SHARED_CREDENTIALS_FILE`, else `.aws/credentials` of the user), which is read
 * again when they are refused. Undefined if there are neither: the account of the machine itself is meant.
 * USAGE if half of a pair is there, or a file or profile that is named is not.
 */
export async function environmentAccounts(
  environment: S3Environment,
): Promise<AccountSource | undefined> {
  const value = (name: string): string => environment[name] ?? "";
  const hasId = value("AWS_ACCESS_KEY_ID") !== "";
  if (hasId !== (value("AWS_SECRET_ACCESS_KEY") !== ""))
    throw usage("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set together or not at all");
  if (hasId)
    return { account: async () => ({ settings: keySettings(environment), expiresMs: undefined }) };
  const named = value("AWS_SHARED_CREDENTIALS_FILE");
  const home = value("HOME") || value("USERPROFILE");
  const file = named || (home === "" ? "" : path.join(home, ".aws", "credentials"));
  const isNamed = named !== "" || value("AWS_PROFILE") !== "";
  const profile = value("AWS_PROFILE") || "default";
  if (file === "" || (await profileOf(file, profile, isNamed)) === undefined) return undefined;
  return {
    account: async () => ({
      settings: (await profileOf(file, profile, true)) ?? {},
      expiresMs: undefined,
    }),
  };
}

/** STORE_DENIED if the account is of another kind. */
export function keysOf({ settings }: StorageAccount): S3Keys {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } =
    settings;
  if (accessKeyId === "" || secretAccessKey === "")
    throw new BackstayError("STORE_DENIED", { problem: "the account has no keys for S3" });
  return { accessKeyId, secretAccessKey, sessionToken: settings["AWS_SESSION_TOKEN"] || undefined };
}

function keySettings(environment: S3Environment): Record<string, string> {
  const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
  return Object.fromEntries(names.map((name) => [name, environment[name] ?? ""]));
}

/** The keys of a profile; undefined if there is none and `isNeeded` is not. */
async function profileOf(
  file: string,
  profile: string,
  isNeeded: boolean,
): Promise<Record<string, string> | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (!isNeeded) return undefined;
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw usage(`the file of AWS_SHARED_CREDENTIALS_FILE can't be read: ${code}`, file);
  }
  const values = sectionOf(text, profile);
  const id = values.get("aws_access_key_id");
  const secret = values.get("aws_secret_access_key");
  if (id !== undefined && secret !== undefined)
    return {
      AWS_ACCESS_KEY_ID: id,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_SESSION_TOKEN: values.get("aws_session_token") ?? "",
    };
  if (!isNeeded) return undefined;
  throw usage(`the profile ${profile} of AWS_PROFILE has no keys there`, file);
}

function sectionOf(text: string, section: string): Map<string, string> {
  const values = new Map<string, string>();
  let isInside = false;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[\s*(?:profile\s+)?(.+?)\s*\]/.exec(line);
    if (heading !== null) isInside = heading[1] === section;
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/i.exec(line) ?? [];
    if (isInside && name !== undefined && value !== undefined)
      values.set(name.toLowerCase(), value);
  }
  return values;
}

function usage(problem: string, file?: string): BackstayError {
  return new BackstayError("USAGE", { ...(file !== undefined && { file }), problem });
}
