/** Starts the service of `obedient-service.ts`, alone or with a manager that listens. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ObedientService } from "../../platform/ports/service-control-contract.ts";

const program = fileURLToPath(new URL("obedient-service.ts", import.meta.url));

export interface StartedService extends ObedientService {
  readonly child: ChildProcess;
}

/** `variables` are added to its environment; it has none of this process's but PATH. */
export function startService(variables: Readonly<Record<string, string>>): StartedService {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env["PATH"] ?? "", ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  return {
    child,
    lines: () => text.split("\n").slice(0, -1),
    ask: async (request) => void child.kill(request === "stop" ? "SIGTERM" : "SIGHUP"),
    exitCode: once(child, "close").then(([exitCode]) => exitCode as number | null),
  };
}
