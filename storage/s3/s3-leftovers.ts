/** Uploads in parts that nobody has finished: they are not to be seen, and are charged. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { S3Connection } from "./s3-connection.ts";

const ageMsMin = 24 * 60 * 60 * 1000;

/** Gives up those below `prefix` that are older than a day and whose keys are `ours`; returns how many. */
export async function sweepUploads(
  connection: S3Connection,
  prefix: string,
  isOurs: (key: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const { bucket } = connection.place;
  let swept = 0;
  let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (marker !== undefined) {
    const asked: { KeyMarker?: string; UploadIdMarker?: string } = marker;
    const page = await connection
      .send(
        ({ ListMultipartUploadsCommand }) =>
          new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...asked }),
        {},
        signal,
      )
      .catch((error: unknown) => {
        // A server that knows no parts has none, and a bucket that is not there neither.
        if (isBackstayError(error) && isWithoutUploads(error)) return undefined;
        throw error;
      });
    for (const { Key = "", UploadId, Initiated } of page?.Uploads ?? []) {
      if (!isOurs(Key) || Initiated === undefined || Initiated.getTime() > Date.now() - ageMsMin)
        continue;
      await connection.send(
        ({ AbortMultipartUploadCommand }) =>
          new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }),
        {},
        signal,
      );
      swept += 1;
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page ?? {};
    const goesOn = IsTruncated === true && NextKeyMarker !== undefined;
    marker = goesOn
      ? {
          KeyMarker: NextKeyMarker,
          ...(NextUploadIdMarker !== undefined && { UploadIdMarker: NextUploadIdMarker }),
        }
      : undefined;
  }
  return swept;
}

function isWithoutUploads(error: { readonly code: string; readonly context: object }): boolean {
  const status = "status" in error.context ? error.context.status : undefined;
  return error.code === "STORE_MISSING" || error.code === "STORE_NOT_FOUND" || status === 501;
}
