import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import {
  type BundleDocument,
  bundleSerialMax,
  signatureTypes,
} from "../../protocol/control/bundle.ts";
import { rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { signDocument } from "../../protocol/control/signed-document.ts";
import {
  agentId,
  makeSigningKey,
  policyOf,
  repositoryId,
  SigningSide,
} from "../../test/bundles/signed-bundles.ts";
import { type BundleFloors, laterFloors, noFloors } from "./bundle-floors.ts";
import { bundleHash, verifyBundle } from "./verify-bundle.ts";

const side = new SigningSide();
const other = new SigningSide();
const good = side.bundle();
const accepted = verifyBundle(good, side.reader, noFloors).floors;

/** The code of the refusal, or `accepted`. */
function verdict(jws: string, floors: BundleFloors = noFloors): string {
  try {
    verifyBundle(jws, side.reader, floors);
    return "accepted";
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    return error.code;
  }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const unsigned = (header: object, document: BundleDocument, signature = ""): string =>
  `${part(header)}.${part(document)}.${signature}`;
const header = { alg: "EdDSA", typ: signatureTypes.bundle, kid: side.policy.id };

/** HMAC with the public key as its secret: what a careless reader takes for a signature. */
function hmacSigned(): string {
  const text = `${part({ ...header, alg: "HS256" })}.${part(side.document())}`;
  const secret = Buffer.from(rawPublicKey(side.policy.privateKey), "base64url");
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

it("a bundle that is all in order tells what the machine is to do", () => {
  const { bundle, floors } = verifyBundle(good, side.reader, noFloors);
  expect(bundle).toMatchObject({
    serial: 100,
    hash: bundleHash(good),
    intent: "normal",
    recoveryKey: undefined,
    entitlement: { licenceId: "licence-1" },
    server: { urls: ["https://backup.example"] },
  });
  expect(bundle.policies.get("documents")).toMatchObject({
    policyId: "id-of-documents",
    repositoryId,
    policy: { name: "documents", compression: "auto" },
  });
  expect(bundle.destinations.get(repositoryId)?.routes).toEqual([
    {
      kind: "gateway",
      repository: `rest:https://backup.example/gateway/${repositoryId}/${agentId}/`,
      user: agentId,
      passwordSecret: `gateway:${repositoryId}`,
      pins: [],
    },
    {
      kind: "direct",
      repository: `s3:https://s3.example/tenant-1/${agentId}`,
      credentialsSecret: "s3-account",
      isIssued: false,
    },
  ]);
  expect(bundle.secret("password")?.toString()).toBe("secret");
  expect(bundle.secret("toString")).toBeUndefined();
  expect(floors).toEqual({
    trustVersion: 1,
    serial: 100,
    hash: bundleHash(good),
    signer: "policy-1",
    epochs: { [repositoryId]: { epoch: 5, signer: "destination-1" } },
  });
});

describe("a bundle is refused", () => {
  const secrets = side.document().secrets;
  const { password: _, ...withoutPassword } = secrets;
  it.each<[string, string, string]>([
    // Not signed, or not by whom it must be
    ["without a signature", unsigned(header, side.document()), "BUNDLE_UNSIGNED"],
    ["of alg none", unsigned({ ...header, alg: "none" }, side.document()), "BUNDLE_UNSIGNED"],
    ["of alg HS256 with the public key", hmacSigned(), "BUNDLE_UNSIGNED"],
    ["signed by somebody", side.bundle({}, makeSigningKey("policy-1")), "BUNDLE_UNSIGNED"],
    ["signed by the destination key", side.bundle({}, side.destination), "BUNDLE_UNSIGNED"],
    ["signed by the root key", side.bundle({}, side.root), "BUNDLE_UNSIGNED"],
    [
      "that was signed as a command",
      signDocument("command", side.document(), side.policy),
      "BUNDLE_UNSIGNED",
    ],
    ["of another server altogether", other.bundle(), "BUNDLE_TRUST"],
    ["with another server's trust", side.bundle({ trust: other.trust() }), "BUNDLE_TRUST"],
    [
      "with trust that the policy key signed itself",
      side.bundle({ trust: side.trust({}, { ...side.policy, id: "root" }) }),
      "BUNDLE_TRUST",
    ],
    [
      "with another tenant's trust",
      side.bundle({ trust: side.trust({ tenantId: "x" }) }),
      "BUNDLE_TRUST",
    ],
    [
      "without trust",
      signDocument("bundle", { ...side.document(), trust: undefined }, side.policy),
      "BUNDLE_TRUST",
    ],
    [
      "with trust that is a number",
      signDocument("bundle", { ...side.document(), trust: 7 }, side.policy),
      "BUNDLE_TRUST",
    ],
    // For somebody else
    ["for another machine", side.bundle({ agentId: "agent-2" }), "BUNDLE_FOREIGN"],
    ["for another tenant", side.bundle({ tenantId: "tenant-2" }), "BUNDLE_FOREIGN"],
    // Damaged
    ["that is empty", "", "BUNDLE_TRUNCATED"],
    ["that is a page of a proxy", "<html><body>Please sign in</body></html>", "BUNDLE_TRUNCATED"],
    ["that is half", good.slice(0, good.length >> 1), "BUNDLE_TRUNCATED"],
    ["larger than any", "x".repeat(4_000_001), "BUNDLE_TOO_LARGE"],
    [
      "that is nothing but depth",
      `${part(header)}.${Buffer.from("[".repeat(1_000_000)).toString("base64url")}.`,
      "BUNDLE_TRUNCATED",
    ],
    [
      "that is deep",
      `${part(header)}.${Buffer.from("[".repeat(500_000) + "]".repeat(500_000)).toString("base64url")}.`,
      "BUNDLE_TRUST",
    ],
    // Not understood
    [
      "with something critical that is new",
      side.bundle({ critical: ["volumes.v2"] }),
      "BUNDLE_NEWER",
    ],
    [
      "with a policy of a newer version",
      side.bundle({ policies: [policyOf("a", ["/a"], { version: 2 })] }),
      "BUNDLE_NEWER",
    ],
    [
      "with a policy that makes no sense",
      side.bundle({ policies: [policyOf("a", ["relative"])] }),
      "BUNDLE_INVALID",
    ],
    [
      "with two policies of one name",
      side.bundle({ policies: [policyOf("a", ["/a"]), policyOf("a", ["/b"])] }),
      "BUNDLE_INVALID",
    ],
    [
      "without a version",
      signDocument("bundle", { ...side.document(), version: undefined }, side.policy),
      "BUNDLE_INVALID",
    ],
    [
      "with null for its policies",
      signDocument("bundle", { ...side.document(), policies: null }, side.policy),
      "BUNDLE_INVALID",
    ],
    // Secrets
    ["lacking a secret that is named", side.bundle({ secrets: withoutPassword }), "BUNDLE_INVALID"],
    [
      "with a secret for another machine",
      side.bundle({ secrets: { ...secrets, password: other.sealed("x") } }),
      "BUNDLE_INVALID",
    ],
    // Destinations
    [
      "whose destination the policy key signed",
      side.bundle({ destinations: [side.destinationOf({}, side.policy)] }),
      "BUNDLE_DESTINATION",
    ],
    [
      "whose destination somebody signed",
      side.bundle({ destinations: [other.destinationOf()] }),
      "BUNDLE_DESTINATION",
    ],
    [
      "whose destination is another tenant's",
      side.bundle({ destinations: [side.destinationOf({ tenantId: "x" })] }),
      "BUNDLE_DESTINATION",
    ],
    ["that lacks its destination", side.bundle({ destinations: [] }), "BUNDLE_DESTINATION"],
    [
      "with two destinations of one repository",
      side.bundle({ destinations: [side.destinationOf(), side.destinationOf({ epoch: 6 })] }),
      "BUNDLE_DESTINATION",
    ],
    [
      "whose policy names a place of its own",
      side.bundle({
        policies: [
          policyOf("a", ["/a"], { destination: { repository: "s3:https://evil.example/x" } }),
        ],
      }),
      "BUNDLE_DESTINATION",
    ],
  ])("%s", (_name, jws, code) => {
    expect(verdict(jws)).toBe(code);
  });

  it("older than the one that was accepted, or with its serial and another content", () => {
    expect(verdict(side.bundle({ serial: 99 }), accepted)).toBe("BUNDLE_OLD");
    expect(verdict(side.bundle({ serial: 100, intent: "stop" }), accepted)).toBe("BUNDLE_OLD");
    expect(verdict(good, accepted)).toBe("accepted");
    expect(verdict(side.bundle({ serial: 101 }), accepted)).toBe("accepted");
  });

  it("with trust older than accepted, though a key of that time signed it well", () => {
    const newer = side.bundle({ serial: 101, trust: side.trust({ version: 2 }) });
    const { floors } = verifyBundle(newer, side.reader, accepted);
    expect(verdict(side.bundle({ serial: 102 }), floors)).toBe("BUNDLE_TRUST");
  });

  it("that leads to an older place than is known", () => {
    const older = side.bundle({ serial: 101, destinations: [side.destinationOf({ epoch: 4 })] });
    expect(verdict(older, accepted)).toBe("BUNDLE_DESTINATION");
  });
});

it("any byte changed makes a bundle refused", () => {
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (position, bits) => {
      const bytes = Buffer.from(good, "latin1");
      bytes[position] = (bytes[position] ?? 0) ^ bits;
      expect(verdict(bytes.toString("latin1"))).toMatch(/^BUNDLE_/);
    }),
    { numRuns: 500 },
  );
});

it("cut anywhere, or with more behind it, a bundle is refused", () => {
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.string({ minLength: 1 }), (length, more) => {
      expect(verdict(good.slice(0, length))).toMatch(/^BUNDLE_/);
      expect(verdict(good + more)).toMatch(/^BUNDLE_/);
    }),
    { numRuns: 200 },
  );
});

describe("keys change", () => {
  const next = makeSigningKey("policy-2");

  it("the new key is believed as soon as the root key vouches for it, and the old one no more", () => {
    const trust = side.trust({ version: 2, roles: side.roles([next], [side.destination]) });
    const { floors } = verifyBundle(
      side.bundle({ serial: 101, trust }, next),
      side.reader,
      accepted,
    );
    expect(verdict(side.bundle({ serial: 102, trust }), floors)).toBe("BUNDLE_UNSIGNED");
    expect(verdict(side.bundle({ serial: 102, trust }, next), floors)).toBe("accepted");
  });

  it("a serial that a stolen key has raised out of reach is void when that key is retired", () => {
    const stolen = verifyBundle(
      side.bundle({ serial: bundleSerialMax }),
      side.reader,
      accepted,
    ).floors;
    expect(verdict(side.bundle({ serial: 101 }), stolen)).toBe("BUNDLE_OLD");
    const trust = side.trust({ version: 2, roles: side.roles([next], [side.destination]) });
    const { floors } = verifyBundle(side.bundle({ serial: 101, trust }, next), side.reader, stolen);
    expect(floors.serial).toBe(101);
  });

  it("an epoch too", () => {
    const key = makeSigningKey("destination-2");
    const trust = side.trust({ version: 2, roles: side.roles([side.policy], [key]) });
    const destinations = [side.destinationOf({ epoch: 1 }, key)];
    const changed = verifyBundle(
      side.bundle({ serial: 101, trust, destinations }),
      side.reader,
      accepted,
    );
    expect(changed.floors.epochs[repositoryId]).toEqual({ epoch: 1, signer: "destination-2" });
  });
});

it("what the licence says never stands in the way", () => {
  for (const entitlement of [
    other.entitlement(),
    side.entitlement({ agentId: "agent-2" }),
    "nonsense",
    undefined,
  ]) {
    const document = { ...side.document(), entitlement };
    const { bundle } = verifyBundle(signDocument("bundle", document, side.policy), side.reader);
    expect(bundle.entitlement).toBeUndefined();
    expect(bundle.policies.size).toBe(1);
  }
});

it("fields of newer servers are ignored", () => {
  const document = { ...side.document(), somethingNew: { deep: [1] } };
  expect(verdict(signDocument("bundle", document, side.policy))).toBe("accepted");
});

it("of two floors the later one counts, and of each repository the higher epoch", () => {
  const a = { ...accepted, epochs: { a: { epoch: 7, signer: "x" }, b: { epoch: 1, signer: "x" } } };
  const b = {
    ...accepted,
    serial: 200,
    epochs: { a: { epoch: 5, signer: "x" }, b: { epoch: 1, signer: "y" } },
  };
  const later = { ...b, epochs: { a: { epoch: 7, signer: "x" }, b: { epoch: 1, signer: "y" } } };
  expect(laterFloors(a, b)).toEqual(later);
  expect(laterFloors(b, a)).toEqual(later);
});
