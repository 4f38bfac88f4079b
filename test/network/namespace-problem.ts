/** Whether this machine can make network namespaces. */
import { execFileSync, spawnSync } from "node:child_process";

/** Why there can be no namespaces here, or undefined if there can. */
export function namespaceProblem(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are of Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (spawnSync("ip", ["-V"]).status !== 0) return "`ip` of iproute2 is not installed";
  const probe = `backstay-probe-${process.pid}`;
  const { status, stderr } = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  if (status !== 0) return `no network namespace can be made here: ${stderr.trim()}`;
  execFileSync("ip", ["netns", "delete", probe]);
  return undefined;
}
