/** The S3 server that `npm run demo -- --s3` starts: Ceph's where it is installed, else the small one of this checkout. */

import path from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { type Radosgw, startRadosgw, stopRadosgw } from "../object-storage/radosgw.ts";
import { rawS3 } from "../object-storage/raw-s3.ts";
import { areInstalled, radosgwPrograms } from "../object-storage/server-programs.ts";
import { StartedSmallS3 } from "../object-storage/small-s3/started-small-s3.ts";

const bucket = "backups";

export class DemoS3 {
  /** Which server it is, for people. */
  readonly name: string;
  /** As `--repo` takes it, without a slash at the end: of the bucket. */
  readonly address: string;
  /** Its account as a store takes it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #stop: () => Promise<void>;

  private constructor(name: string, server: Radosgw | StartedSmallS3, stop: () => Promise<void>) {
    this.name = name;
    this.address = `s3:${server.url}/${bucket}`;
    this.environment = server.environment;
    this.#stop = stop;
  }

  /** Everything in `folder`, but what Ceph keeps in memory. `small`: the small one in any case. */
  static async start(folder: string, small = false): Promise<DemoS3> {
    if (small || !areInstalled(radosgwPrograms)) {
      const own = await StartedSmallS3.start(path.join(folder, "s3"), bucket);
      return new DemoS3("the checkout's own small S3 server", own, () => own.stop());
    }
    const ceph = await startRadosgw();
    const stop = async (): Promise<void> => await stopRadosgw(ceph.folder);
    try {
      const client = rawS3(ceph);
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      client.destroy();
      return new DemoS3("Ceph's object gateway", ceph, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  /** Its account, as a secret of the management server holds it. */
  get secret(): string {
    return Object.entries(this.environment)
      .map(([name, value]) => `${name}=${value}\n`)
      .join("");
  }

  async stop(): Promise<void> {
    await this.#stop();
  }
}
