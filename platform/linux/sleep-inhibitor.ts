/** Keeps the machine awake through logind's inhibitors. */
import { spawn } from "node:child_process";
import { toolPath } from "../node/run-tool.ts";

/** What taking the inhibitor may take; a machine whose logind is stuck is not waited for longer. */
const takeMsMax = 10_000;

/**
 * Blocks sleep, and delays a shutdown by the seconds that logind grants, until the result is called. `systemd-inhibit` holds
 * both while its command runs: `cat`, which ends when our end of its input is closed, also because this process
 * died. (To ask logind itself takes a descriptor over the bus, which sockets of Node can't receive.)
 * Undefined if this machine has no logind to ask.
 */
export async function inhibitSleep(
  reason: string,
  bus: string,
): Promise<(() => Promise<void>) | undefined> {
  const inhibit = toolPath("systemd-inhibit");
  const cat = toolPath("cat");
  if (inhibit === undefined || cat === undefined) return undefined;
  const who = ["--who=Backstay", `--why=${reason}`];
  const child = spawn(
    inhibit,
    [
      ...["--what=sleep:idle", "--mode=block", ...who, inhibit],
      ...["--what=shutdown", "--mode=delay", ...who, cat],
    ],
    { stdio: ["pipe", "pipe", "ignore"], env: { LC_ALL: "C", DBUS_SYSTEM_BUS_ADDRESS: bus } },
  );
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  child.stdin.on("error", () => undefined);
  const release = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  // What `cat` repeats shows that it runs, so both inhibitors are held.
  const held = new Promise<boolean>((resolve) => {
    child.stdout.once("data", () => resolve(true));
    void ended.then(() => resolve(false));
    const timer = setTimeout(() => resolve(false), takeMsMax);
    void ended.then(() => clearTimeout(timer));
    child.stdout.once("data", () => clearTimeout(timer));
  });
  child.stdin.write("held\n");
  if (await held) return release;
  child.kill("SIGKILL");
  await release();
  return undefined;
}
