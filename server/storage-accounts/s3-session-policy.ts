/** What an account of one machine may do in a bucket: less than the role that it is taken from. Pure. */

/** What Amazon takes; packed it must be smaller still, which is told only by an attempt. */
export const sessionPolicyCharactersMax = 2048;

export interface MachinePlace {
  /** Of the role's ARN: `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  readonly bucket: string;
  /** Ends with a slash. */
  readonly prefix: string;
  /** It may lock what it stores. */
  readonly mayLock: boolean;
}

/**
 * Create, read and list below the prefix; remove `locks/` only. Nothing of versions, lifecycle or the bucket, and of
 * retention only what was asked for: never to go past a lock.
 */
export function sessionPolicy({ partition, bucket, prefix, mayLock }: MachinePlace): string {
  const arn = `arn:${partition}:s3:::${bucket}`;
  const statements = [
    {
      Effect: "Allow",
      Action: [
        "s3:PutObject",
        "s3:GetObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
        ...(mayLock ? ["s3:PutObjectRetention", "s3:GetObjectRetention"] : []),
      ],
      Resource: `${arn}/${prefix}*`,
    },
    { Effect: "Allow", Action: "s3:DeleteObject", Resource: `${arn}/${prefix}locks/*` },
    {
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: arn,
      Condition: { StringLike: { "s3:prefix": `${prefix}*` } },
    },
  ];
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}
