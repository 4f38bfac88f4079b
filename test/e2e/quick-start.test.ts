/**
 * The page docs/quick-start.md, done as it stands there but for one folder, in two networks that only an HTTP proxy
 * connects.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { DividedNetwork, dividedAddresses } from "../network/divided-network.ts";
import { namespaceProblem } from "../network/namespace-problem.ts";
import { pageSteps } from "../quick-start/page-steps.ts";
import { Terminal } from "../quick-start/terminal.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const page = path.join(checkout, "docs", "quick-start.md");
const problem = namespaceProblem();
if (problem !== undefined) console.warn(`The quick start is left out: ${problem}.`);

let network: DividedNetwork | undefined;
let folder: string | undefined;
const terminals = new Map<string, Terminal>();

afterEach(async () => {
  for (const terminal of terminals.values()) terminal.close();
  await network?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** A terminal of that place in a folder that looks like a checkout and keeps this one clean. */
function openTerminal(place: "server" | "machine", parent: string, of: DividedNetwork): string {
  const own = path.join(parent, place);
  mkdirSync(own);
  for (const name of ["agent", "server", "installers", "node_modules", "package.json"])
    symlinkSync(path.join(checkout, name), path.join(own, name));
  const node = path.dirname(process.execPath);
  const environment = {
    PATH: `${node}:${process.env["PATH"] ?? ""}`,
    HOME: own,
    TZ: "UTC",
    // npm would ask, through the proxy, whether there is a newer one.
    npm_config_update_notifier: "false",
    // Nothing of this machine's own bus.
    DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${own}/no-bus`,
  };
  const options = { name: place, folder: parent, workingFolder: own, environment };
  terminals.set(place, new Terminal({ ...options, prefix: of.prefix(place) }));
  return own;
}

it.skipIf(problem !== undefined)("the quick start works as it is written", async () => {
  network = await DividedNetwork.make();
  folder = mkdtempSync(path.join(tmpdir(), "backstay-quick-start-"));
  const [server, machine] = (["server", "machine"] as const).map((place) =>
    openTerminal(place, folder ?? "", network as DividedNetwork),
  );
  const output: Record<string, string> = { server: "", machine: "" };
  let isCarried = false;
  for (const { place, commands } of pageSteps(readFileSync(page, "utf8"))) {
    if (place === "machine" && !isCarried) {
      copyFileSync(path.join(server, "token"), path.join(machine, "token"));
      isCarried = true;
      expect(network.reachesDirectly(8443), "the machine needs the proxy").toBe(false);
    }
    const terminal = terminals.get(place);
    if (terminal === undefined) throw new Error(`no terminal is called ${place}`);
    // Two runs at the same time must not share what the page shares with nobody.
    const own = commands.replaceAll("/tmp/backstay-quick-start", path.join(folder, "files"));
    output[place] += await terminal.run(own);
  }
  expect(output["machine"]).toContain("enrolled as");
  expect(output["server"]).toContain("run documents");
  const tunnels = network.proxied.filter(
    (line) => line === `CONNECT ${dividedAddresses.server}:8443`,
  );
  expect(tunnels.length).toBeGreaterThan(0);
  expect(network.proxied.slice(1), "nothing else is asked for").toEqual(tunnels);
});
