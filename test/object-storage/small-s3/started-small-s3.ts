/** The small S3 server as a process of its own, with an account made up for it and one bucket. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { killAll } from "../local-processes.ts";
import { rawS3 } from "../raw-s3.ts";

const program = fileURLToPath(new URL("small-s3.ts", import.meta.url));

export class StartedSmallS3 {
  readonly processId: number;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Its account as a store takes it. */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(processId: number, url: string, environment: Record<string, string>) {
    this.processId = processId;
    this.url = url;
    this.environment = environment;
  }

  /** Keeps everything in `folder`, and goes on until `stop`, also without this process. */
  static async start(folder: string, bucket: string): Promise<StartedSmallS3> {
    mkdirSync(folder, { recursive: true });
    const environment = {
      AWS_ACCESS_KEY_ID: `key${randomBytes(6).toString("hex")}`,
      AWS_SECRET_ACCESS_KEY: randomBytes(24).toString("base64url"),
    };
    const log = path.join(folder, ".server.log");
    const output = openSync(log, "a");
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", program, folder, "0"],
      { env: environment, stdio: ["ignore", output, output], detached: true },
    );
    closeSync(output);
    child.unref();
    const address = /^http:\S+$/m;
    while (!address.test(readFileSync(log, "utf8"))) {
      if (child.exitCode !== null) throw new Error(`it ended: ${readFileSync(log, "utf8")}`);
      await sleep(20);
    }
    const [url = ""] = address.exec(readFileSync(log, "utf8")) ?? [];
    const server = new StartedSmallS3(child.pid ?? 0, url, environment);
    const client = rawS3(server);
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return server;
  }

  async stop(): Promise<void> {
    await killAll([this.processId]);
  }
}
