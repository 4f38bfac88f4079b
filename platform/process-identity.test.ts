/** Who this process is, and whether others live. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { isProcessAlive, processIdentity } from "./process-identity.ts";

it("tells the same about this process each time, in short texts", () => {
  const identity = processIdentity();
  expect(identity).toEqual(processIdentity());
  expect(identity.pid).toBe(process.pid);
  expect(identity.hostName).not.toBe("");
  expect(identity.uid).toBeGreaterThanOrEqual(0);
  for (const text of [identity.machine, identity.boot, identity.pidSpace])
    expect(text.length).toBeLessThanOrEqual(64);
});

it("does without a name where the account has none, as in containers", (context) => {
  if (process.getuid?.() !== 0) context.skip("only root can become an account without name");
  const script = `process.setuid(54321);
    import(${JSON.stringify(new URL("./process-identity.ts", import.meta.url).href)})
      .then(({ processIdentity }) => console.log(JSON.stringify(processIdentity())));`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  if (stdout === "") context.skip("the checkout is out of reach for other accounts");
  expect(JSON.parse(stdout)).toMatchObject({ userName: "", uid: 54321 });
});

it("knows the living from the dead, and takes those that it may not ask for living", () => {
  expect(isProcessAlive(process.pid)).toBe(true);
  expect(isProcessAlive(1)).toBe(true);
  expect(isProcessAlive(spawnSync(process.execPath, ["--version"]).pid)).toBe(false);
  for (const pid of [2 ** 31, 2 ** 40, Number.NaN]) expect(isProcessAlive(pid)).toBe(true);
});
