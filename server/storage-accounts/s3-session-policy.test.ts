import { expect, it } from "vitest";
import { sessionPolicy, sessionPolicyCharactersMax } from "./s3-session-policy.ts";

const id = "0198f2b4-7c11-7000-8000-000000000000";

it("fits into what Amazon takes, with the longest bucket and ids in a deep prefix", () => {
  const prefix = `${"folder-of-a-department/".repeat(8)}${id}/${id}/`;
  const policy = sessionPolicy({
    partition: "aws-us-gov",
    bucket: "b".repeat(63),
    prefix,
    mayLock: true,
  });
  expect(policy.length).toBeLessThanOrEqual(sessionPolicyCharactersMax);
});

it("names nothing outside the prefix but the bucket's list below it", () => {
  const policy = sessionPolicy({
    partition: "aws",
    bucket: "backups",
    prefix: "t/a/",
    mayLock: false,
  });
  const { Statement } = JSON.parse(policy) as {
    Statement: { Effect: string; Action: string | string[]; Resource: string }[];
  };
  expect(Statement.map(({ Effect, Resource }) => [Effect, Resource])).toEqual([
    ["Allow", "arn:aws:s3:::backups/t/a/*"],
    ["Allow", "arn:aws:s3:::backups/t/a/locks/*"],
    ["Allow", "arn:aws:s3:::backups"],
  ]);
  expect(policy).toContain('{"StringLike":{"s3:prefix":"t/a/*"}}');
  expect(policy).not.toMatch(/s3:\*|Bucket(?!")|Retention|Version"?:?s|Lifecycle/);
});
