/** A role of Ceph's gateway, and a user that may do nothing but take it: what a server makes accounts with. */
import { randomBytes } from "node:crypto";
import { type Radosgw, radosgwAdmin } from "./radosgw.ts";

export interface RadosgwRole {
  readonly arn: string;
  /** The user's account, under restic's names. */
  readonly own: Readonly<Record<string, string>>;
}

/** Makes both; the role may do everything in every bucket. */
export async function makeRadosgwRole(server: Radosgw): Promise<RadosgwRole> {
  const name = `issuer-${randomBytes(4).toString("hex")}`;
  const [key, secret] = [`${name}-key`, randomBytes(16).toString("hex")];
  const user = [`--uid=${name}`, `--display-name=${name}`];
  await radosgwAdmin(
    server,
    "user",
    "create",
    ...user,
    `--access-key=${key}`,
    `--secret-key=${secret}`,
  );
  const trust = { Effect: "Allow", Principal: { AWS: [`arn:aws:iam:::user/${name}`] } };
  const role = [`--role-name=${name}`, "--path=/"];
  const assume = policyText({ ...trust, Action: ["sts:AssumeRole"] });
  await radosgwAdmin(server, "role", "create", ...role, `--assume-role-policy-doc=${assume}`);
  const all = policyText({ Effect: "Allow", Action: ["s3:*"], Resource: ["arn:aws:s3:::*"] });
  const policy = ["--policy-name=all", `--policy-doc=${all}`];
  await radosgwAdmin(server, "role-policy", "put", `--role-name=${name}`, ...policy);
  return {
    arn: `arn:aws:iam:::role/${name}`,
    own: { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret },
  };
}

function policyText(statement: object): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}
