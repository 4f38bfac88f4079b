/** Buckets are made when a repository is. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { S3Connection } from "./s3-connection.ts";

/** Makes the bucket if it is not there. An account that may not ask is taken to know that it is. */
export async function makeBucket(
  connection: S3Connection,
  withObjectLock: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { bucket } = connection.place;
  try {
    await connection.send(
      ({ HeadBucketCommand }) => new HeadBucketCommand({ Bucket: bucket }),
      {},
      signal,
    );
    return;
  } catch (error) {
    if (isBackstayError(error, "STORE_DENIED")) return;
    if (!isBackstayError(error, "STORE_NOT_FOUND") && !isBackstayError(error, "STORE_MISSING"))
      throw error;
  }
  try {
    await connection.send(
      ({ CreateBucketCommand }) =>
        new CreateBucketCommand({
          Bucket: bucket,
          ...(withObjectLock && { ObjectLockEnabledForBucket: true }),
        }),
      {},
      signal,
    );
  } catch (error) {
    // Somebody else was faster.
    if (!isBackstayError(error) || error.context["said"] !== "BucketAlreadyOwnedByYou") throw error;
  }
}
