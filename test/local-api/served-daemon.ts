/** A daemon in memory behind a real server, in a home of its own, for clients and the command line. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { claimDaemonPlace, type DaemonPlace } from "../../agent/local-api/daemon-place.ts";
import { type LocalApiOptions, LocalApiServer } from "../../agent/local-api/local-api-server.ts";
import { LocalClient } from "../../agent/local-client/local-client.ts";
import { localApiAddress } from "../../platform/local-api-address.ts";
import { openPeerIdentity } from "../../platform/open-peer-identity.ts";
import { DaemonInMemory } from "./daemon-in-memory.ts";

const launcher = fileURLToPath(new URL("../../agent/bin/backstay", import.meta.url));

export interface CliRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class ServedDaemon {
  readonly daemon = new DaemonInMemory();
  /** BACKSTAY_HOME. */
  readonly home: string = mkdtempSync(path.join(tmpdir(), "backstay-home-"));
  readonly environment: Record<string, string> = { BACKSTAY_HOME: this.home };
  readonly client = new LocalClient(localApiAddress(this.environment));
  readonly failures: unknown[] = [];
  #place: DaemonPlace | undefined;
  #server: LocalApiServer | undefined;

  async start(options: Partial<LocalApiOptions> = {}): Promise<void> {
    const ownUid = process.getuid?.() ?? 0;
    this.#place ??= await claimDaemonPlace(localApiAddress(this.environment), ownUid);
    this.#server = await LocalApiServer.start({
      place: this.#place,
      view: this.daemon,
      peers: openPeerIdentity(),
      ownUid,
      onFailure: (error) => this.failures.push(error),
      ...options,
    });
  }

  /** Ends the server; the home stays. */
  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** Ends the server and removes the home. */
  async remove(): Promise<void> {
    await this.stop();
    this.#place?.release();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Runs `backstay` with this home. `started` gets the running process. */
  run(
    args: readonly string[],
    started: (child: ReturnType<typeof spawn>) => void = () => undefined,
  ): Promise<CliRun> {
    const child = spawn(launcher, args, {
      env: { PATH: process.env["PATH"], TZ: "UTC", ...this.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    started(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (piece: Buffer) => (stdout += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (stderr += piece.toString()));
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
    });
  }
}
