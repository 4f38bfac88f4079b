/** Accounts for S3: a session of a role, cut down to one machine's prefix. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type S3Place, s3Place } from "../../storage/s3/s3-address.ts";
import { S3HttpHandler } from "../../storage/s3/s3-http-handler.ts";
import type { AccountOrder, IssuedAccount } from "./issued-account.ts";
import { sessionPolicy, sessionPolicyCharactersMax } from "./s3-session-policy.ts";

/** So long nothing may move in a request, ms. */
const silenceMs = 15_000;
/** For servers that take no role but want the field. */
const noRole = "arn:aws:iam:::role/backstay";

/**
 * Asks the STS. RESOURCE_INVALID for what can't be put into a policy or is no account; otherwise the client's own errors.
 */
export async function s3Account(order: AccountOrder<"s3-sts">): Promise<IssuedAccount> {
  const { issuer, address, agentId, own, signal } = order;
  const place = s3Place(address.slice("s3:".length), own);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = own;
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw invalid("the server's account has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  const region = issuer.region ?? place.region;
  const policy = policyFor(place, issuer);
  const { AWS_SESSION_TOKEN: sessionToken } = own;
  const { STSClient, AssumeRoleCommand } = await import("@aws-sdk/client-sts");
  const handler = new S3HttpHandler(placeOfSts(region, order), silenceMs, undefined);
  const client = new STSClient({
    region,
    ...(issuer.endpoint !== undefined && { endpoint: issuer.endpoint }),
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
    },
    requestHandler: handler,
    maxAttempts: 1,
  });
  try {
    const { Credentials } = await client.send(
      new AssumeRoleCommand({
        RoleArn: issuer.roleArn ?? noRole,
        RoleSessionName: agentId,
        Policy: policy,
        DurationSeconds: issuer.durationSeconds,
      }),
      { abortSignal: signal },
    );
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
    if (
      AccessKeyId === undefined ||
      SecretAccessKey === undefined ||
      SessionToken === undefined ||
      Expiration === undefined
    )
      throw new Error("the STS gave no keys");
    return {
      settings: {
        AWS_ACCESS_KEY_ID: AccessKeyId,
        AWS_SECRET_ACCESS_KEY: SecretAccessKey,
        AWS_SESSION_TOKEN: SessionToken,
        AWS_DEFAULT_REGION: place.region,
      },
      expiresMs: Expiration.getTime(),
    };
  } finally {
    client.destroy();
    await handler.close();
  }
}

function policyFor(
  { bucket, prefix }: S3Place,
  { roleArn, mayLock = false }: AccountOrder<"s3-sts">["issuer"],
): string {
  const partition = /^arn:([a-z0-9-]+):/.exec(roleArn ?? "")?.[1] ?? "aws";
  const policy = sessionPolicy({ partition, bucket, prefix, mayLock });
  if (policy.length <= sessionPolicyCharactersMax) return policy;
  throw invalid(`the policy for its prefix has ${policy.length} characters`);
}

/** The same proxies and authorities as for the storage; without an endpoint the client knows by itself where Amazon's is. */
function placeOfSts(region: string, { issuer, own }: AccountOrder<"s3-sts">): S3Place {
  const { endpoint = `https://sts.${region}.amazonaws.com` } = issuer;
  return s3Place(`${endpoint.replace(/\/+$/, "")}/sts`, own);
}

function invalid(problem: string): BackstayError {
  return new BackstayError("RESOURCE_INVALID", { field: "issuer", problem });
}
