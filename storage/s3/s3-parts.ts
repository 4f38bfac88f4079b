/** Objects that are sent in parts; whatever goes wrong, the parts are given up. */
import type { UploadPartCommandOutput } from "@aws-sdk/client-s3";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { Handle } from "../object-store.ts";
import type { S3Library } from "./s3-connection.ts";
import { factsOf, type S3Objects } from "./s3-objects.ts";
import type { CreateOutcome } from "./taken-names.ts";

const partBytesUsual = 16 * 1024 * 1024;
/** What S3 allows. */
const partsMax = 10_000;
/** So long giving up may take. */
const abortMsMax = 10_000;

type BeginInput = ConstructorParameters<S3Library["CreateMultipartUploadCommand"]>[0];

export interface PartsTarget {
  readonly objects: S3Objects;
  readonly handle: Handle;
  /** What the object is from its beginning. */
  readonly begin: Partial<BeginInput>;
}

/** Bytes of each part but the last. */
export function partBytesFor(sizeBytes: number): number {
  return Math.max(partBytesUsual, Math.ceil(sizeBytes / partsMax));
}

/**
 * Stores the parts one after the other as one object, if nothing has the name when the last has arrived; an upload before
 * that is invisible. Not every server compares and stores in one step, so a name may be taken in between.
 */
export async function uploadInParts(
  target: PartsTarget,
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  md5Of: ((part: Uint8Array) => string) | undefined,
  signal: AbortSignal,
): Promise<CreateOutcome> {
  const { objects, handle, begin } = target;
  const { connection } = objects;
  const facts = factsOf(handle);
  const upload = await connection.send(
    ({ CreateMultipartUploadCommand }) =>
      new CreateMultipartUploadCommand({ ...objects.target(handle), ...begin }),
    facts,
    signal,
  );
  const one = { ...objects.target(handle), UploadId: upload.UploadId };
  let isDone = false;
  try {
    const done: { PartNumber: number; ETag?: string }[] = [];
    for await (const part of parts) {
      const PartNumber = done.length + 1;
      const sent = await connection.send(
        ({ UploadPartCommand }) =>
          new UploadPartCommand({
            ...one,
            PartNumber,
            Body: part,
            ...(md5Of !== undefined && { ContentMD5: md5Of(part) }),
          }),
        facts,
        signal,
      );
      done.push({
        ...checksumOf(sent),
        PartNumber,
        ...(sent.ETag !== undefined && { ETag: sent.ETag }),
      });
    }
    const { refusesTaken } = connection.place.vendor;
    if (!refusesTaken && (await objects.size(handle, signal)) !== undefined) return "exists";
    await connection.send(
      ({ CompleteMultipartUploadCommand }) =>
        new CompleteMultipartUploadCommand({
          ...one,
          MultipartUpload: { Parts: done },
          ...(refusesTaken && { IfNoneMatch: "*" }),
        }),
      facts,
      signal,
    );
    isDone = true;
    return "created";
  } catch (error) {
    if (isBackstayError(error, "STORE_EXISTS")) return "exists";
    throw error;
  } finally {
    if (!isDone) await giveUp(target, upload.UploadId);
  }
}

/** What the server has kept of a part beside its tag has to be said again in the end. */
function checksumOf({ ChecksumCRC32 }: UploadPartCommandOutput): { ChecksumCRC32?: string } {
  return ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 };
}

/** What can't be given up now is swept a day later. */
async function giveUp({ objects, handle }: PartsTarget, UploadId?: string): Promise<void> {
  await objects.connection
    .send(
      ({ AbortMultipartUploadCommand }) =>
        new AbortMultipartUploadCommand({ ...objects.target(handle), UploadId }),
      factsOf(handle),
      AbortSignal.timeout(abortMsMax),
    )
    .catch(() => undefined);
}
