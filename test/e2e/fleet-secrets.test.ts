/**
 * Secrets of every kind are planted in a whole fleet, and mistakes made with them. Then they are looked for wherever they
 * may not be: logs, errors, addresses, the server's database, the machine's memory, support bundles.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import Database from "better-sqlite3";
import { afterEach, expect, it } from "vitest";
import { parseEnrolmentToken } from "../../protocol/control/enrolment-token.ts";
import { readMasterKey } from "../../server/ground/master-key.ts";
import { openVault } from "../../server/ground/vault.ts";
import { until } from "../daemon/daemon-scene.ts";
import { FleetScene } from "../fleet/fleet-scene.ts";
import { tracesInFolder, tracesInText } from "../fleet/secret-traces.ts";
import { SmallProxy } from "../network/small-proxy.ts";
import type { Outcome } from "../programs.ts";
import { askPinned } from "../server/pinned-request.ts";

let fleet: FleetScene | undefined;
let proxy: SmallProxy | undefined;
afterEach(async () => {
  await fleet?.remove();
  await proxy?.stop();
  [fleet, proxy] = [undefined, undefined];
});

function planted(): string {
  return `Pl4nted/${randomBytes(12).toString("base64url")}+ä`;
}

const declarations = (source: string): string => `kind: tenant
name: acme
---
kind: repository
name: main
routes: [{ kind: gateway }]
---
kind: group
name: all
selector: { kind: labels, labels: { acme: "*" } }
---
kind: policy
groups: [all]
document:
  version: 1
  name: papers
  source: { paths: [${JSON.stringify(source)}] }
  destination: { repository: "backstay:main" }
  encryption: { password: { secret: of-papers } }
  schedule: { events: [lock] }
`;

/** What the server made for the machine at its gateway, opened with the server's master key. */
async function gatewayPassword(data: string): Promise<string> {
  const database = new Database(path.join(data, "server.db"), { readonly: true });
  const row = database.prepare("SELECT * FROM machine_repositories").get() as {
    agent_id: string;
    repository_id: string;
    gateway_sealed: string;
  };
  database.close();
  const vault = openVault(await readMasterKey(path.join(data, "keys", "master.key")));
  const context = `machine-repository:${row.agent_id}:${row.repository_id}:gateway`;
  return Buffer.from(vault.open(row.gateway_sealed, context)).toString();
}

/** Everything that was shown to somebody, by what showed it. */
type Shown = Record<string, string>;
type Secrets = Record<string, string>;

/** A fleet with one machine, which has run once through a proxy; every secret in it is known. */
async function plantedFleet(): Promise<{ scene: FleetScene; secrets: Secrets; apiToken: string }> {
  const proxyPassword = randomBytes(12).toString("hex");
  proxy = await SmallProxy.start({ account: `ann:${proxyPassword}` });
  const address = proxy.url.replace("http://", `http://ann:${proxyPassword}@`);
  const scene = await FleetScene.start({
    server: { args: ["--log-level", "debug"] },
    daemon: { environment: { HTTPS_PROXY: address } },
  });
  fleet = scene;
  const { servers, daemon } = scene;
  const password = planted();
  await scene.apply("kind: tenant\nname: acme\n");
  await servers.succeed(["secret", "set", "of-papers"], password);
  await scene.apply(declarations(daemon.at("source")));
  const create = ["api-token", "create", "robot", "--role", "admin"];
  const apiToken = (await servers.succeed(create)).trim();
  const token = await scene.token("acme", "--label", "acme=yes");
  await scene.enrol(token);
  await scene.untilPolicyIsInForce("papers");
  const { exitCode, stderr } = await daemon.cli(["run", "papers", "--wait"]);
  expect(exitCode, stderr).toBe(0);
  const secrets = {
    "password of the proxy": proxyPassword,
    "password of the repository": password,
    "API token": apiToken.split("_").slice(2).join("_"),
    "wrong API token": randomBytes(24).toString("base64url"),
    "seed of the enrolment token": parseEnrolmentToken(token).s,
    "account at the gateway": await gatewayPassword(servers.data()),
  };
  return { scene, secrets, apiToken };
}

/** What people and programs get wrong with secrets at hand. */
async function mistakes(scene: FleetScene, secrets: Secrets, apiToken: string): Promise<Shown> {
  const { servers, daemon } = scene;
  const shown: Shown = {};
  const tell = (name: string, { exitCode, stdout, stderr }: Outcome): void => {
    expect(exitCode, name).not.toBe(0);
    shown[name] = stdout + stderr;
  };
  const wrong = daemon.at("wrong-token");
  const [id] = apiToken.split(/_(?=[^_]*$)/);
  writeFileSync(wrong, `${id}_${secrets["wrong API token"]}`, { mode: 0o600 });
  const remote = ["--server", servers.url(), "--pin", servers.access().pin, "--token-file", wrong];
  tell("a wrong token", await servers.cli([...remote, "tenant", "list"]));
  const used = ["enroll", "--token-file", daemon.at("enrolment-token")];
  tell("a token used twice", await daemon.cli(used));
  const odd = encodeURIComponent(secrets["password of the repository"]);
  const account = Buffer.from(`nobody:${secrets["account at the gateway"]}`).toString("base64");
  for (const [place, authorization] of [
    [`/api/v1/tenants?token=${odd}`, `Bearer ${id}_${secrets["wrong API token"]}`],
    [`/api/v1/tenants/${odd}`, `Bearer ${apiToken}`],
    [`/gateway/${odd}/config`, `Basic ${account}`],
    [`/agent/v1/bundle?${odd}`, `Backstay ${odd}`],
  ] as const) {
    const { status, text } = await askPinned(`${servers.url()}${place}`, {
      headers: { authorization },
    });
    expect(status, place).toBeGreaterThanOrEqual(400);
    // An administrator is told again which name there is not.
    if (!authorization.includes(apiToken)) shown[`the answer for ${place.split(/[?%]/)[0]}`] = text;
  }
  return shown;
}

/** What server and machine tell to whoever asks, and where they put what they give away. */
async function givenAway(scene: FleetScene): Promise<{ shown: Shown; archives: string[] }> {
  const { servers, daemon } = scene;
  const own = path.join(servers.folder, "own.tar.gz");
  const fetched = path.join(servers.folder, "fetched.tar.gz");
  const shown: Shown = {};
  const { exitCode, stdout, stderr } = await daemon.cli(["support-bundle", "--yes", own]);
  expect(exitCode, stderr).toBe(0);
  shown["support-bundle"] = stdout;
  const collect = ["--json", "command", "collect-logs", "--group", "all"];
  const sent = JSON.parse(await servers.succeed(collect)) as { commands: { id: string }[] };
  await until("the logs are there", async () => {
    const download = ["command", "download", sent.commands[0].id, "--file", fetched];
    return (await servers.cli(download)).exitCode === 0;
  });
  const lists = ["audit", "session", "event", "secret", "token", "api-token", "agent"];
  for (const command of [["status"], ["export"], ...lists.map((noun) => [noun, "list"])])
    shown[command.join(" ")] = await servers.succeed(["--json", ...command]);
  for (const command of ["status", "policies", "sessions", "log"])
    shown[`${command} of the machine`] = (await daemon.cli([command, "--json"])).stdout;
  return { shown, archives: [own, fetched] };
}

it("a planted secret is nowhere but where it belongs", async () => {
  const { scene, secrets, apiToken } = await plantedFleet();
  const { servers, daemon } = scene;
  const wrong = await mistakes(scene, secrets, apiToken);
  const { shown, archives } = await givenAway(scene);
  const ownPlaces = new Set(["wrong-token", "enrolment-token"]);
  expect(proxy?.requests.length).toBeGreaterThan(0);
  expect([
    ...tracesInText(secrets, "addresses at the proxy", JSON.stringify(proxy?.requests)),
    ...tracesInText(secrets, "the server's output", servers.output),
    ...tracesInText(secrets, "the daemon's output", daemon.errors),
    ...Object.entries({ ...wrong, ...shown }).flatMap(([name, text]) =>
      tracesInText(secrets, name, text),
    ),
    ...archives.flatMap((file) =>
      tracesInText(secrets, path.basename(file), gunzipSync(readFileSync(file))),
    ),
    ...tracesInFolder(secrets, servers.data()),
    ...tracesInFolder(secrets, daemon.home, (file) => ownPlaces.has(file)),
  ]).toEqual([]);
});
