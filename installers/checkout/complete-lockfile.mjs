/**
 * Adds to package-lock.json what npm leaves out when the registry that it asked has no such package: entries of
 * optional binaries for other systems. Without them `npm ci` refuses the lockfile. Run it after `npm install`.
 *
 *   node installers/checkout/complete-lockfile.mjs
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const systemOfName = /(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-([a-z]+))?$/;

/**
 * Optional dependencies that a lockfile's `packages` name but have no entry for: `place` is where the entry belongs.
 * Only exact versions count; what is there in another version belongs beside the package that asks.
 */
export function missingEntries(packages) {
  const missing = [];
  for (const [place, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (place === "" || !/^\d/.test(version)) continue;
      const found = resolvedPlace(packages, place, name);
      if (found !== undefined && packages[found].version === version) continue;
      const parent = found === undefined ? "" : `${place}/`;
      missing.push({
        place: `${parent}node_modules/${name}`,
        name,
        version,
        dev: entry.dev === true,
      });
    }
  }
  return missing;
}

/** The lockfile with an entry for everything that was missing, its system read off the package's name. */
export function completed(lockfile) {
  const packages = { ...lockfile.packages };
  for (;;) {
    // One at a time: where an entry belongs depends on those that were added before it.
    const [next] = missingEntries(packages);
    if (next === undefined) break;
    const { place, name, version, dev } = next;
    const match = systemOfName.exec(name);
    if (match === null) throw new Error(`${name}: the name does not tell its system`);
    const [, system, processor, library = ""] = match;
    const libc = library.startsWith("musl") ? { libc: ["musl"] } : {};
    const kind = dev ? { dev: true } : {};
    packages[place] = { version, cpu: [processor], ...kind, ...libc, optional: true, os: [system] };
  }
  const sorted = Object.entries(packages).sort(([left], [right]) => (left < right ? -1 : 1));
  return { ...lockfile, packages: Object.fromEntries(sorted) };
}

/** Where Node would find `name` from a package at `place`: the nearest node_modules that has it. */
function resolvedPlace(packages, place, name) {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/")))) {
    const candidate = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
    if (Object.hasOwn(packages, candidate)) return candidate;
    if (from === "") return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = path.resolve(path.dirname(process.argv[1]), "../../package-lock.json");
  const lockfile = JSON.parse(readFileSync(file, "utf8"));
  const complete = completed(lockfile);
  writeFileSync(file, `${JSON.stringify(complete, null, 2)}\n`);
  const count = Object.keys(complete.packages).length - Object.keys(lockfile.packages).length;
  console.log(`Added ${count} entries to package-lock.json.`);
}
