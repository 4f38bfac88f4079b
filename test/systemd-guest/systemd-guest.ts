/**
 * Shows the agent under a real systemd, in a virtual machine: it starts and says so, is reloaded, restarted, killed and
 * hung, survives a reboot, and catches up the run that was missed while the machine was off. Takes some minutes:
 * `npm run test:systemd`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buildGuestDisk, missingForGuest } from "./guest-disk.ts";
import { runGuest } from "./guest-machine.ts";

const dayMs = 86_400_000;

let passed = 0;
let failed = 0;
let starts = 0;

function takeLine(line: string): void {
  const [word] = line.split(" ", 1);
  const rest = line.slice(word.length + 1);
  if (word === "ok") passed += 1;
  else if (word === "failed") failed += 1;
  else if (word === "end") starts += 1;
  if (word === "ok") console.log(`  ✓ ${rest}`);
  else if (word === "failed") console.log(`  ✗ ${rest}`);
  else if (word === "end") console.log(`start ${rest} is done`);
  else console.log(`    ${line}`);
}

/** The clock of the guest, at noon, so that the policy's run at night is between two starts. */
function noon(days: number): Date {
  return new Date((Math.floor(Date.now() / dayMs) + days) * dayMs + dayMs / 2);
}

/** Throws unless proof.sh came to its end that often. */
function requireStarts(wanted: number): void {
  if (starts !== wanted) throw new Error(`${starts} starts came to their end instead of ${wanted}`);
}

async function run(folder: string): Promise<void> {
  console.log("The disk is made: Debian with systemd, and this checkout ...");
  const disk = buildGuestDisk(folder);
  console.log("The machine starts, and starts again ...");
  await runGuest(disk, noon(1), folder, takeLine);
  requireStarts(2);
  console.log("The machine was off for two days, and starts ...");
  await runGuest(disk, noon(3), folder, takeLine);
  requireStarts(3);
}

const missing = missingForGuest();
if (missing.length > 0) {
  console.error(`This needs ${missing.join(", ")}.`);
  process.exit(1);
}
const folder = mkdtempSync(path.join(tmpdir(), "backstay-systemd-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
try {
  await run(folder);
} catch (error) {
  failed += 1;
  console.error(error instanceof Error ? error.message : error);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
