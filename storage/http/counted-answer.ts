/** An answer of which the bytes are counted as they are read. */
import type { RequestCounts } from "../request-counts.ts";
import type { HttpAnswer } from "./http-transport.ts";

/** The answer itself if there is nothing to count in. */
export function countedAnswer(answer: HttpAnswer, counts: RequestCounts | undefined): HttpAnswer {
  return counts === undefined ? answer : { ...answer, body: countedBody(answer.body, counts) };
}

async function* countedBody(
  body: AsyncIterable<Uint8Array>,
  counts: RequestCounts,
): AsyncIterable<Uint8Array> {
  for await (const part of body) {
    counts.received(part.length);
    yield part;
  }
}
