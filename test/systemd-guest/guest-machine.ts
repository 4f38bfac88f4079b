/** A virtual machine in software emulation: slow, but it needs nothing of the machine that it runs on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { GuestDisk } from "./guest-disk.ts";

const memoryMebibytes = 1024;
/** Of a machine that is on, from power-on to power-off, with a reboot in between; patient, as hosts may be busy. */
const runMsMax = 40 * 60_000;

/**
 * Starts a machine whose clock says `clock`, and gives `onLine` each line that its second serial port prints. Resolves when
 * it has powered itself off; rejects if it does not. The console is written to `folder`.
 */
export async function runGuest(
  disk: GuestDisk,
  clock: Date,
  folder: string,
  onLine: (line: string) => void,
): Promise<void> {
  const console = path.join(folder, "console.log");
  const time = clock.toISOString().slice(0, 19);
  const child = spawn(
    "qemu-system-x86_64",
    [
      ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(memoryMebibytes)],
      ...["-display", "none", "-monitor", "none", "-nic", "none", "-rtc", `base=${time},clock=vm`],
      ...["-serial", `file:${console}`, "-serial", "stdio"],
      ...["-kernel", disk.kernel, "-initrd", disk.initrd],
      ...["-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off"],
      ...["-drive", `file=${disk.image},if=virtio,format=raw,cache=unsafe`],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const overdue = setTimeout(() => child.kill("SIGKILL"), runMsMax);
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  try {
    const closed = once(child, "close");
    for await (const line of createInterface({ input: child.stdout }))
      onLine(line.replaceAll("\r", ""));
    const [exitCode] = (await closed) as [number | null];
    if (exitCode !== 0)
      throw new Error(`the guest did not power off; its console is in ${console}`);
  } finally {
    clearTimeout(overdue);
    process.off("exit", end);
  }
}
