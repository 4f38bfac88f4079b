/** Checks signatures of requests: AWS Signature Version 4 in the `authorization` header, for one account. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { S3Refusal } from "./s3-refusal.ts";

export interface S3Account {
  readonly accessKey: string;
  readonly secretKey: string;
}

const skewMsMax = 15 * 60_000;
const form =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Throws the refusal that S3 gives to a request that is not signed, or not by this account, or not now. */
export function requireSignature(request: IncomingMessage, account: S3Account): void {
  const [, key, day, region, names, signature] =
    form.exec(request.headers.authorization ?? "") ?? [];
  if (key === undefined || day === undefined || names === undefined || signature === undefined)
    throw new S3Refusal(403, "AccessDenied", "The request is not signed.");
  if (key !== account.accessKey)
    throw new S3Refusal(403, "InvalidAccessKeyId", "There is no such access key.");
  const time = header(request, "x-amz-date");
  requireNow(time);
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const signedHeaders = names.split(";");
  const canonical = [
    request.method ?? "",
    path,
    query.split("&").filter(Boolean).map(withValue).sort().join("&"),
    ...signedHeaders.map(
      (name) => `${name}:${header(request, name).trim().replaceAll(/ +/g, " ")}`,
    ),
    "",
    names,
    header(request, "x-amz-content-sha256"),
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const dayKey = hmac(`AWS4${account.secretKey}`, day);
  const signingKey = hmac(hmac(hmac(dayKey, region ?? ""), "s3"), "aws4_request");
  if (!timingSafeEqual(hmac(signingKey, text), Buffer.from(signature, "hex")))
    throw new S3Refusal(
      403,
      "SignatureDoesNotMatch",
      "The signature is of another request or key.",
    );
}

function requireNow(time: string): void {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? [];
  const timeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(timeMs - Date.now()) <= skewMsMax))
    throw new S3Refusal(403, "RequestTimeTooSkewed", "The clocks differ by more than 15 minutes.");
}

function withValue(pair: string): string {
  return pair.includes("=") ? pair : `${pair}=`;
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : (value ?? "");
}
