/** The body of a request: small JSON objects of known form, and nothing else. */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type {
  CheckRequest,
  EnrolRequest,
  PauseRequest,
  RestoreRequest,
  ResumeRequest,
  RunRequest,
  StopRequest,
} from "../../protocol/local-api/orders.ts";
import { overwriteRules } from "../../protocol/run-order.ts";

export const bodyBytesMax = 64 * 1024;

/** Reads the JSON of a request. DAEMON_REQUEST if it is none, or too long. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (request.headers["content-type"]?.split(";")[0].trim() !== "application/json")
    throw new BackstayError("DAEMON_REQUEST", { problem: "the body must be application/json" });
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    sizeBytes += piece.length;
    if (sizeBytes > bodyBytesMax)
      throw new BackstayError("DAEMON_REQUEST", {
        problem: `the body has more than ${bodyBytesMax} bytes`,
      });
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch (error) {
    throw new BackstayError("DAEMON_REQUEST", { problem: "the body is no JSON" }, error);
  }
}

const policyName = z.string().min(1).max(64);

/** Bodies by what is asked for. Fields that this version does not know are refused: passing over them could do harm. */
export const bodies = {
  run: z.strictObject({ policy: policyName }) satisfies z.ZodType<RunRequest>,
  restore: z.strictObject({
    policy: policyName,
    snapshot: z.string().regex(/^(?:latest|[0-9a-f]{1,64})$/, "is an id or `latest`"),
    paths: z.array(z.string().min(1).max(4096)).max(1000),
    target: z.string().min(1).max(4096),
    overwrite: z.enum(overwriteRules),
    verify: z.boolean(),
    from: policyName.exactOptional(),
  }) satisfies z.ZodType<RestoreRequest>,
  check: z.strictObject({
    policy: policyName,
    data: z.string().max(100),
    from: policyName.exactOptional(),
  }) satisfies z.ZodType<CheckRequest>,
  stop: z.strictObject({ policy: policyName }) satisfies z.ZodType<StopRequest>,
  pause: z.strictObject({
    policy: policyName.exactOptional(),
    untilMs: z.int().min(0).exactOptional(),
  }) satisfies z.ZodType<PauseRequest>,
  resume: z.strictObject({
    policy: policyName.exactOptional(),
  }) satisfies z.ZodType<ResumeRequest>,
  enroll: z.strictObject({
    token: z.string().min(1).max(16_384),
  }) satisfies z.ZodType<EnrolRequest>,
  /** Of what is asked for without more words. */
  nothing: z.strictObject({}),
};

/** The value as the schema has it. DAEMON_REQUEST names what does not fit. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue.path.length === 0 ? "body" : issue.path.join(".");
  throw new BackstayError("DAEMON_REQUEST", { problem: `${where}: ${issue.message}` });
}
