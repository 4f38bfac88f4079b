import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { environmentAccounts, keysOf } from "./s3-accounts.ts";

const never = new AbortController().signal;
const folder = mkdtempSync(path.join(tmpdir(), "backstay-s3-accounts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const home = path.join(folder, "home");
const file = path.join(home, ".aws", "credentials");
mkdirSync(path.dirname(file), { recursive: true });
writeFileSync(
  file,
  `# keys
[default]
aws_access_key_id = defaultId
aws_secret_access_key=default/secret+=

[ other ]
AWS_ACCESS_KEY_ID=otherId
aws_secret_access_key = otherSecret
aws_session_token = otherToken
[role]
role_arn = arn:aws:iam::1:role/x
`,
);

async function keys(environment: Record<string, string>): Promise<unknown> {
  const source = await environmentAccounts(environment);
  return source === undefined ? undefined : keysOf(await source.account(never));
}

it("takes keys of the environment before those of the file", async () => {
  const pair = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
  const found = { accessKeyId: "id", secretAccessKey: "secret" };
  expect(await keys({ ...pair, HOME: home })).toEqual({ ...found, sessionToken: undefined });
  const session = { AWS_SESSION_TOKEN: "token" };
  expect(await keys({ ...pair, ...session })).toEqual({ ...found, sessionToken: "token" });
});

it("takes a profile of the shared file, as it is at that moment", async () => {
  const first = { accessKeyId: "defaultId", secretAccessKey: "default/secret+=" };
  expect(await keys({ HOME: home })).toEqual({ ...first, sessionToken: undefined });
  expect(await keys({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: "other" })).toEqual({
    accessKeyId: "otherId",
    secretAccessKey: "otherSecret",
    sessionToken: "otherToken",
  });
  const own = path.join(folder, "own");
  writeFileSync(own, "[default]\naws_access_key_id=a\naws_secret_access_key=b\n");
  const source = await environmentAccounts({ AWS_SHARED_CREDENTIALS_FILE: own });
  writeFileSync(own, "[default]\naws_access_key_id=c\naws_secret_access_key=d\n");
  const account = await source?.account(never);
  expect(account === undefined ? undefined : keysOf(account)).toMatchObject({ accessKeyId: "c" });
});

it("finds none where nobody has said that there is one", async () => {
  expect(await keys({})).toBeUndefined();
  expect(await keys({ HOME: path.join(folder, "nobody") })).toBeUndefined();
});

it("refuses half of a pair, and a file or profile that is named and not there", async () => {
  const cases = [
    { AWS_ACCESS_KEY_ID: "id" },
    { AWS_SECRET_ACCESS_KEY: "secret" },
    { AWS_SHARED_CREDENTIALS_FILE: path.join(folder, "none") },
    { HOME: home, AWS_PROFILE: "none" },
    { HOME: home, AWS_PROFILE: "role" },
  ];
  for (const environment of cases)
    await expect(keys(environment)).rejects.toMatchObject({ code: "USAGE" });
  const azure = { settings: { AZURE_ACCOUNT_NAME: "x" }, expiresMs: undefined };
  expect(() => keysOf(azure)).toThrow(expect.objectContaining({ code: "STORE_DENIED" }));
});
