/**
 * The tokens of the fake: by OAuth 2.0 for service accounts and users (`/token`), and downscoped ones by an access
 * boundary (`/v1/token`). A token ends after a time, and may be limited in what it may do.
 */
import { createPublicKey, generateKeyPairSync, randomUUID, verify } from "node:crypto";
import { ApiError, invalid } from "./api-error.ts";

/** One thing that is asked for. */
export interface AskedRight {
  /** `storage.objects.get`, … */
  readonly permission: string;
  readonly bucket: string;
  /** Undefined: the bucket itself, or a list. */
  readonly object: string | undefined;
  /** Of a list. */
  readonly listPrefix: string;
}

export type Rights = (asked: AskedRight) => boolean;

interface Issued {
  readonly expiresMs: number;
  readonly rights: Rights;
}

const lifeMs = 3_600_000;
const skewMsMax = 300_000;
const objectRights = (...names: readonly string[]): string[] =>
  names.map((name) => `storage.objects.${name}`);
const permissionsOfRole: Readonly<Record<string, readonly string[]>> = {
  "roles/storage.legacyObjectReader": objectRights("get"),
  "roles/storage.objectViewer": objectRights("get", "list"),
  "roles/storage.objectCreator": objectRights("create"),
  "roles/storage.objectUser": objectRights("get", "list", "create", "delete", "update"),
  "roles/storage.objectAdmin": objectRights(
    ...["get", "list", "create", "delete", "update", "setRetention", "overrideUnlockedRetention"],
  ),
  "roles/storage.legacyBucketReader": ["storage.buckets.get", "storage.objects.list"],
};

export class FakeTokens {
  readonly #nowMs: () => number;
  readonly #issued = new Map<string, Issued>();
  readonly #keys = new Map<string, string>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A token that may do what `rights` allows: everything unless given. */
  issue(life = lifeMs, rights: Rights = () => true): string {
    const token = `ya29.fake-${randomUUID()}`;
    this.#issued.set(token, { expiresMs: this.#nowMs() + life, rights });
    return token;
  }

  /** Ends all tokens before their time. */
  revokeAll(): void {
    this.#issued.clear();
  }

  /** A service account with a key of its own, as the JSON document that Google gives out. */
  serviceAccount(name = "backup"): Record<string, string> {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const email = `${name}@fake-project.iam.gserviceaccount.com`;
    this.#keys.set(email, publicKey);
    return {
      type: "service_account",
      project_id: "fake-project",
      private_key_id: randomUUID().replaceAll("-", ""),
      private_key: privateKey,
      client_email: email,
      client_id: "100000000000000000000",
      token_uri: "https://oauth2.googleapis.com/token",
    };
  }

  /** 401 if the header holds no token that is good now; else what it may do. */
  rightsOf(authorization: string | undefined): Rights {
    const issued = this.#issued.get(authorization?.replace(/^Bearer /, "") ?? "");
    if (issued !== undefined && issued.expiresMs > this.#nowMs()) return issued.rights;
    throw new ApiError(401, "authError", "Invalid Credentials", {
      "www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
    });
  }

  /** Answers `/token`: a signed statement of a service account is changed into a token. */
  exchange(form: URLSearchParams): object {
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer")
      throw refusal("unsupported_grant_type", "Invalid grant_type");
    const [head, claims, signature] = (form.get("assertion") ?? "").split(".");
    const said = JSON.parse(Buffer.from(claims ?? "", "base64url").toString()) as {
      iss?: string;
      iat?: number;
      exp?: number;
    };
    const key = this.#keys.get(said.iss ?? "");
    const isSigned =
      key !== undefined &&
      verify(
        "sha256",
        Buffer.from(`${head}.${claims}`),
        createPublicKey(key),
        Buffer.from(signature ?? "", "base64url"),
      );
    if (!isSigned) throw refusal("invalid_grant", "Invalid JWT Signature.");
    const nowMs = this.#nowMs();
    const isNow =
      (said.iat ?? 0) * 1000 < nowMs + skewMsMax && (said.exp ?? 0) * 1000 > nowMs - skewMsMax;
    if (!isNow)
      throw refusal(
        "invalid_grant",
        "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
      );
    return { access_token: this.issue(), token_type: "Bearer", expires_in: lifeMs / 1000 };
  }

  /** Answers `/v1/token`: a token is changed into one that may do less. */
  downscope(form: URLSearchParams): object {
    const subject = form.get("subject_token") ?? "";
    const all = this.rightsOf(`Bearer ${subject}`);
    const options = JSON.parse(form.get("options") ?? "{}") as {
      accessBoundary?: { accessBoundaryRules?: readonly BoundaryRule[] };
    };
    const rules = options.accessBoundary?.accessBoundaryRules ?? [];
    if (rules.length === 0 || rules.length > 10) throw invalid("Invalid access boundary.");
    const allowed = rules.map(rightsOfRule);
    const token = this.issue(lifeMs, (asked) => all(asked) && allowed.some((one) => one(asked)));
    return {
      access_token: token,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: lifeMs / 1000,
    };
  }
}

interface BoundaryRule {
  readonly availableResource: string;
  readonly availablePermissions: readonly string[];
  readonly availabilityCondition?: { readonly expression: string };
}

const resourceForm = /^\/\/storage\.googleapis\.com\/projects\/_\/buckets\/([^/]+)$/;
const nameForm = /^resource\.name\.startsWith\('([^']*)'\)$/;
const listForm =
  /^api\.getAttribute\('storage\.googleapis\.com\/objectListPrefix', ?''\)\.startsWith\('([^']*)'\)$/;

function rightsOfRule(rule: BoundaryRule): Rights {
  const [, bucket] = resourceForm.exec(rule.availableResource) ?? [];
  if (bucket === undefined) throw invalid("Invalid available resource.");
  const permissions = new Set(
    rule.availablePermissions.flatMap((text) => {
      const role = permissionsOfRole[text.replace(/^inRole:/, "")];
      if (role === undefined) throw invalid(`Invalid available permission: ${text}`);
      return role;
    }),
  );
  const conditions = (rule.availabilityCondition?.expression ?? "")
    .split("||")
    .map((text) => text.trim())
    .filter((text) => text !== "");
  const met = conditions.map(conditionOf);
  return (asked) =>
    asked.bucket === bucket &&
    permissions.has(asked.permission) &&
    (met.length === 0 || met.some((one) => one(asked)));
}

function conditionOf(text: string): Rights {
  const [, name] = nameForm.exec(text) ?? [];
  if (name !== undefined)
    return ({ bucket, object }) =>
      `projects/_/buckets/${bucket}${object === undefined ? "" : `/objects/${object}`}`.startsWith(
        name,
      );
  const [, prefix] = listForm.exec(text) ?? [];
  if (prefix === undefined) throw invalid(`Invalid condition: ${text}`);
  return ({ permission, listPrefix }) =>
    permission === "storage.objects.list" && listPrefix.startsWith(prefix);
}

/** As OAuth 2.0 words it. */
export class OAuthRefusal extends Error {
  readonly document: object;

  constructor(error: string, description: string) {
    super(description);
    this.document = { error, error_description: description };
  }
}

function refusal(error: string, description: string): OAuthRefusal {
  return new OAuthRefusal(error, description);
}
