/** Word of changes from the dynamic store of macOS, by a `scutil` that is kept open. */
import { type ChildProcess, spawn } from "node:child_process";
import { toolPath } from "../node/run-tool.ts";

export type StoreChange = "network" | "power" | "users";

const commands = [
  "n.add State:/Network/Global/IPv4",
  "n.add State:/Network/Global/IPv6",
  `n.add ${["State:", "Users", "ConsoleUser"].join("/")}`,
  "n.add State:/IOKit/PowerSources/.* pattern",
  "n.watch",
  "",
].join("\n");

/** What a line of its output tells of; undefined for all others. */
export function decodeStoreChange(line: string): StoreChange | undefined {
  const key = /^\s*changed key \[\d+\] = State:\/(\w+)\//.exec(line)?.[1];
  if (key === "Network") return "network";
  if (key === "IOKit") return "power";
  return key === "Users" ? "users" : undefined;
}

/** Calls `changed` until the result is called. Undefined where the program is absent. */
export function watchStore(changed: (change: StoreChange) => void): (() => void) | undefined {
  const program = toolPath("scutil");
  if (program === undefined) return undefined;
  const child: ChildProcess = spawn(program, [], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { LC_ALL: "C" },
  });
  let rest = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    const lines = (rest + part).split("\n");
    rest = (lines.pop() ?? "").slice(-1_000);
    for (const line of lines) {
      const change = decodeStoreChange(line);
      if (change !== undefined) changed(change);
    }
  });
  // What it would have told shows in the next round of questions.
  child.on("error", () => undefined);
  child.stdin?.on("error", () => undefined);
  child.stdin?.write(commands);
  return () => {
    child.kill();
  };
}
