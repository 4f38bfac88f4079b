/** A plain S3 client beside the store under test: for setting a scene and for looking at what is really there. */
import { S3Client } from "@aws-sdk/client-s3";

/** Against a server of these tests. */
export function rawS3(server: {
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
}): S3Client {
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } =
    server.environment;
  return new S3Client({
    endpoint: server.url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}
