/** Keys that no server has, used as people use them: by the command line, some of it on a machine that reaches no server. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sealRecovery } from "../../protocol/control/recovery-key.ts";
import { runCommandLine } from "../../server/cli/main.ts";
import { ServerScene } from "../fleet/server-scene.ts";

let folder = "";
let scene: ServerScene | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-offline-keys-"));
});
afterEach(async () => {
  await scene?.remove();
  scene = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => path.join(folder, name);

/** Runs a command; with the server's data folder in its environment only if there is a server. */
async function run(...args: string[]): Promise<string> {
  const environment = scene === undefined ? {} : { BACKSTAY_SERVER_DATA: scene.data() };
  const io = { input: process.stdin, write: async () => undefined, note: () => undefined };
  const { lines } = await runCommandLine(args, environment, io, new AbortController().signal);
  return lines.join("\n");
}

/** Runs a command and keeps what it prints. */
async function keep(file: string, ...args: string[]): Promise<string> {
  const text = await run(...args);
  writeFileSync(at(file), `${text}\n`);
  return text;
}

it("a destination key that is kept offline, a licence of one's own issuer, a recovery key", async () => {
  await keep("issuer.json", "licence", "make-issuer", "acme-1", "--file", at("issuer.key"));
  expect(statSync(at("issuer.key")).mode & 0o777).toBe(0o600);
  scene = await ServerScene.start({ args: ["--licence-issuer", at("issuer.json")] });
  await run("tenant", "create", "acme");

  // Where data goes.
  await run("repository", "create", "main", "--gateway");
  const publicKey = await run("key", "make", "--file", at("destination.key"));
  await run("key", "create", "destination", "--public-key", publicKey);
  const keys = await run("key", "list");
  const keyId = /(destination-\w+) +destination +active +offline/.exec(keys)?.[1] ?? "";
  expect(await run("repository", "show", "main")).toMatch(/Awaits signature: +a change/);
  await keep("destination.json", "repository", "unsigned", "main");
  const given = ["--key", at("destination.key"), "--key-id", keyId];
  await keep("destination.jws", "key", "sign", at("destination.json"), ...given);
  await run("repository", "sign", "main", "--file", at("destination.jws"));
  expect(await run("repository", "show", "main")).toMatch(/Awaits signature: +nothing/);
  const old = /(destination-\w+) +destination +active +on the server/.exec(keys)?.[1] ?? "";
  await run("key", "retire", old);
  await run("repository", "set", "main", "--direct", "/mnt/elsewhere/{agent}");
  expect(await run("repository", "list")).toContain("change awaits signature");
  writeFileSync(at("evil.json"), readFileSync(at("destination.json"), "utf8"));
  await keep("evil.jws", "key", "sign", at("evil.json"), ...given);
  const place = ["repository", "sign", "main", "--file", at("evil.jws")];
  await expect(run(...place)).rejects.toThrow("something else");

  // The licence.
  expect(await run("licence", "show")).toMatch(/Licence: +community/);
  const issuer = ["--key", at("issuer.key"), "--key-id", "acme-1"];
  const terms = ["--id", "l1", "--workstations", "5", "--until", "90d", "--grace-days", "10"];
  await keep("licence.jws", "licence", "issue", "Acme", ...issuer, ...terms);
  expect(await run("licence", "install", at("licence.jws"))).toContain("l1 of Acme");
  const shown = await run("licence", "show");
  expect(shown).toMatch(/Stand: +valid/);
  expect(shown).toMatch(/Workstations: +0 of 5/);
  expect(shown).toMatch(/Servers: +0, any number allowed/);
  const foreign = ["--key", at("destination.key"), "--key-id", "acme-1"];
  await keep("foreign.jws", "licence", "issue", "Acme", ...foreign);
  await expect(run("licence", "install", at("foreign.jws"))).rejects.toThrow("licence");
  await expect(run("licence", "make-issuer", "x", "--file", at("issuer.key"))).rejects.toThrow(
    "EEXIST",
  );

  // Escrow.
  const [, publicHalf = "", , id = ""] = (
    await run("escrow", "make-key", "--file", at("recovery.key"))
  ).split(" ");
  await run("tenant", "set", "acme", "--recovery-key", publicHalf, "--recovery-key-id", id);
  expect(await run("tenant", "show", "acme")).toContain(`${id}: ${publicHalf}`);
  const secret = { agentId: "a", repositoryId: "r", keyName: "k", password: "the password" };
  writeFileSync(at("password.jwe"), sealRecovery(secret, publicHalf));
  const opened = ["escrow", "open", at("password.jwe"), "--key", at("recovery.key")];
  expect(await run(...opened, "--agent", "a", "--repository", "r")).toBe("the password");
  await expect(run(...opened, "--agent", "b", "--repository", "r")).rejects.toThrow(
    "another machine",
  );
});
