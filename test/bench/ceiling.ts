/** What the cores of this machine can hash and seal at most: the bound of every backup of new data. */
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { openCodec } from "../../platform/open-codec.ts";

const blobBytes = 1024 * 1024;
const rounds = 512;

/** Bytes a second that all cores together hash and seal (SHA-256, AES-256-CTR, Poly1305), nothing else. */
export async function hashAndSealRate(): Promise<number> {
  const rates = Array.from(
    { length: availableParallelism() },
    () =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: "measure" });
        worker.on("message", resolve);
        worker.on("error", reject);
      }),
  );
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
}

function measure(): number {
  const codec = openCodec();
  const key = { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
  const cipher = codec.openCipher(key);
  const plain = new Uint8Array(randomBytes(blobBytes));
  const sealed = new Uint8Array(blobBytes + 32);
  const id = new Uint8Array(32);
  const begun = process.hrtime.bigint();
  for (let i = 0; i < rounds; i += 1) {
    codec.sha256(plain, 0, blobBytes, id, 0);
    cipher.seal(plain, 0, blobBytes, id, 0, sealed, 0);
  }
  return (rounds * blobBytes) / (Number(process.hrtime.bigint() - begun) / 1e9);
}

if (!isMainThread && workerData === "measure") parentPort?.postMessage(measure());
