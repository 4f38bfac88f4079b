/** How content comes out of the fake: whole or in part, with its checksums, by the JSON API and by the XML API. */
import { ApiError } from "./api-error.ts";
import type { FakeBucket } from "./fake-bucket.ts";
import type { FakeExchange } from "./fake-exchange.ts";

/** GET or HEAD of an object's content. */
export async function download(
  exchange: FakeExchange,
  bucket: FakeBucket,
  name: string,
): Promise<void> {
  const object = bucket.object(name, exchange.generation);
  const { content, generation, metageneration, settings } = object;
  const headers = {
    "content-type": settings.contentType ?? "application/octet-stream",
    etag: `"${object.md5Hash}"`,
    "last-modified": new Date(object.createdMs).toUTCString(),
    "accept-ranges": "bytes",
    "x-goog-generation": String(generation),
    "x-goog-metageneration": String(metageneration),
    "x-goog-hash": `crc32c=${object.crc32c},md5=${object.md5Hash}`,
    "x-goog-storage-class": settings.storageClass ?? bucket.settings.storageClass,
    "x-goog-stored-content-encoding": "identity",
    "x-goog-stored-content-length": String(content.length),
  };
  if (exchange.request.method === "HEAD") {
    exchange.response.writeHead(200, { ...headers, "content-length": String(content.length) });
    exchange.response.end();
    return;
  }
  const range = rangeOf(exchange.header("range"), content.length);
  if (range === undefined) return await exchange.download(200, content, headers);
  const [first, last] = range;
  await exchange.download(206, content.subarray(first, last + 1), {
    ...headers,
    "content-range": `bytes ${first}-${last}/${content.length}`,
  });
}

/** First and last byte; undefined: all of it. 416 if there is no such part. */
function rangeOf(header: string | undefined, size: number): [number, number] | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined || (from === "" && to === "")) return undefined;
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (first < size && first <= last) return [first, last];
  throw new ApiError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable", {
    "content-range": `bytes */${size}`,
  });
}
