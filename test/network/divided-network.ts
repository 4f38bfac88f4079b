/**
 * Three network namespaces: a server's and a machine's, which do not reach each other, and between them one that both reach,
 * with an HTTP proxy. Needs root.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { until } from "../daemon/daemon-scene.ts";

const proxyProgram = fileURLToPath(new URL("small-proxy.ts", import.meta.url));

/** Addresses for documentation: nobody has them. */
export const dividedAddresses = {
  server: "192.0.2.10",
  serverSide: "192.0.2.1",
  machine: "198.51.100.2",
  /** Of the proxy, which listens on port 3128. */
  machineSide: "198.51.100.1",
};

type Place = "server" | "machine" | "between";

export class DividedNetwork {
  readonly #id = `backstay-${process.pid}`;
  #proxy: ChildProcess | undefined;
  #proxied = "";

  /** Makes the namespaces and starts the proxy. */
  static async make(): Promise<DividedNetwork> {
    const network = new DividedNetwork();
    try {
      network.#build();
      await network.#startProxy();
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  /** What stands before a program that is to run there. */
  prefix(place: Place): string[] {
    return ["ip", "netns", "exec", this.#name(place)];
  }

  /** What went through the proxy, a line each. */
  get proxied(): string[] {
    return this.#proxied.split("\n").filter((line) => line !== "");
  }

  /** True if a connection from the machine's side straight to the server's address can be made. */
  reachesDirectly(port: number): boolean {
    const [program, ...args] = this.prefix("machine");
    const test = `exec 3<>/dev/tcp/${dividedAddresses.server}/${port}`;
    try {
      execFileSync(program, [...args, "timeout", "5", "bash", "-c", test], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  }

  /** Ends every process in the namespaces, all of which were started there by the test, and removes them. */
  async remove(): Promise<void> {
    for (const place of ["server", "machine", "between"] as const) {
      const name = this.#name(place);
      try {
        for (const id of this.#processes(name)) process.kill(id, "SIGKILL");
        while (this.#processes(name).length > 0) await sleep(20);
        ip("netns", "delete", name);
      } catch {
        // It was not made, or a process ended by itself.
      }
    }
  }

  #build(): void {
    for (const place of ["server", "machine", "between"] as const) {
      ip("netns", "add", this.#name(place));
      ip("-n", this.#name(place), "link", "set", "lo", "up");
    }
    const { server, serverSide, machine, machineSide } = dividedAddresses;
    this.#connect("server", server, serverSide);
    this.#connect("machine", machine, machineSide);
  }

  #connect(place: Place, address: string, between: string): void {
    const [outer, inner] = [this.#name(place), this.#name("between")];
    ip("-n", inner, "link", "add", place, "type", "veth", "peer", "name", "up0", "netns", outer);
    ip("-n", outer, "address", "add", `${address}/24`, "dev", "up0");
    ip("-n", inner, "address", "add", `${between}/24`, "dev", place);
    ip("-n", outer, "link", "set", "up0", "up");
    ip("-n", inner, "link", "set", place, "up");
  }

  async #startProxy(): Promise<void> {
    const [program, ...args] = this.prefix("between");
    const { machineSide } = dividedAddresses;
    const proxy = spawn(
      program,
      [...args, process.execPath, "--no-warnings", proxyProgram, machineSide, "3128"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#proxy = proxy;
    proxy.stdout.on("data", (piece: Buffer) => (this.#proxied += piece.toString()));
    await until("the proxy listens", async () => {
      if (this.#proxy?.exitCode !== null) throw new Error("the proxy ended");
      return this.#proxied.includes("listens");
    });
  }

  #processes(name: string): number[] {
    const text = execFileSync("ip", ["netns", "pids", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : Number(line)));
  }

  #name(place: Place): string {
    return `${this.#id}-${place}`;
  }
}

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}
