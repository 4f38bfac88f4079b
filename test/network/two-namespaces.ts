/**
 * Two network namespaces, `server` and `agent`, joined by one cable. The server's has an address that the agent's has no
 * route to, so that what goes from one to the other goes through a proxy. Linux, root, and `ip` of iproute2.
 */
import {
  type ChildProcess,
  execFileSync,
  type SpawnOptions,
  spawn,
  spawnSync,
} from "node:child_process";

/** Addresses of the namespaces; nothing of it is seen outside of them. */
export const namespaceAddresses = {
  /** Of the server; the agent's namespace has no way there. */
  server: "10.77.1.1",
  /** Of the proxy, in the server's namespace: one end of the cable. */
  proxy: "10.77.2.1",
  /** Of the agent: the other end. */
  agent: "10.77.2.2",
} as const;

type Place = "server" | "agent";

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

export class TwoNamespaces {
  readonly #names: Readonly<Record<Place, string>>;

  private constructor(names: Readonly<Record<Place, string>>) {
    this.#names = names;
  }

  /** Makes both and the cable. `remove` must be called whatever happens. */
  static make(): TwoNamespaces {
    const names = {
      server: `backstay-server-${process.pid}`,
      agent: `backstay-agent-${process.pid}`,
    };
    const namespaces = new TwoNamespaces(names);
    try {
      const { server, proxy, agent } = namespaceAddresses;
      for (const name of Object.values(names)) ip("netns", "add", name);
      const ends = { server: "cable-server", agent: "cable-agent" };
      ip(
        "-n",
        names.server,
        "link",
        "add",
        ends.server,
        "type",
        "veth",
        "peer",
        "name",
        ends.agent,
        "netns",
        names.agent,
      );
      ip("-n", names.server, "address", "add", `${server}/32`, "dev", "lo");
      ip("-n", names.server, "address", "add", `${proxy}/30`, "dev", ends.server);
      ip("-n", names.agent, "address", "add", `${agent}/30`, "dev", ends.agent);
      for (const place of ["server", "agent"] as const)
        for (const device of ["lo", ends[place]])
          ip("-n", names[place], "link", "set", device, "up");
      return namespaces;
    } catch (error) {
      namespaces.remove();
      throw error;
    }
  }

  nameOf(place: Place): string {
    return this.#names[place];
  }

  /** Starts a program in a namespace. */
  spawn(place: Place, command: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn("ip", ["netns", "exec", this.#names[place], ...command], options);
  }

  /** Ends what still runs in them, and removes them. */
  remove(): void {
    for (const name of Object.values(this.#names)) {
      const pids = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
      for (const pid of (pids.stdout ?? "").split("\n").filter((line) => line !== ""))
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch {
          // It has gone by itself.
        }
      spawnSync("ip", ["netns", "delete", name]);
    }
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
}
