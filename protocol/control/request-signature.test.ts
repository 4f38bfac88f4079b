import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signJws } from "./compact-jws.ts";
import { privateKeyOf, publicKeyOf, rawPrivateKey, rawPublicKey } from "./curve-keys.ts";
import { keyThumbprint } from "./key-thumbprint.ts";
import {
  areClaimsOf,
  readRequestSignature,
  requestSignatureType,
  type SignedRequest,
  signRequest,
} from "./request-signature.ts";

/** The key pair of RFC 8037, appendix A. */
const seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const publicRaw = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const privateKey = privateKeyOf("ed25519", seed);
const publicKey = publicKeyOf("ed25519", publicRaw);

/** As an agent of the first version sent them: these stay valid for as long as such agents may be in the field. */
const recorded: readonly { readonly request: SignedRequest; readonly header: string }[] = [
  {
    request: {
      issuer: "0198f3c0-1111-7abc-8def-0123456789ab",
      method: "GET",
      path: "/agent/v1/wake?cursor=c1%2B2",
      body: new Uint8Array(0),
      timeMs: 1_790_000_000_000,
      nonce: "AAAAAAAAAAAAAAAAAAAAAA",
    },
    header:
      "Backstay eyJhbGciOiJFZERTQSIsInR5cCI6ImJhY2tzdGF5LXJlcXVlc3Qrand0In0.eyJpc3MiOiIwMTk4ZjNjMC0xMTExLTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIiLCJodG0iOiJHRVQiLCJodHAiOiIvYWdlbnQvdjEvd2FrZT9jdXJzb3I9YzElMkIyIiwiYmgiOiI0N0RFUXBqOEhCU2EtX1RJbVctNUpDZXVRZVJrbTVOTXBKV1pHM2hTdUZVIiwidGltZU1zIjoxNzkwMDAwMDAwMDAwLCJqdGkiOiJBQUFBQUFBQUFBQUFBQUFBQUFBQUFBIn0.WN0WwOOG3ky_yHbuc7lznFDG35aUnETy6O4bvjAsVMadsNlzxp89-CPLnnp5xQihUOr6VGvOYwsgrpwVS3dXCg",
  },
  {
    request: {
      issuer: "0198f3c0-1111-7abc-8def-0123456789ab",
      method: "POST",
      path: "/agent/v1/reports",
      body: Buffer.from('{"reports":[{"id":"ü"}]}'),
      timeMs: 1_790_000_000_123,
      nonce: "AQIDBAUGBwgJCgsMDQ4PEA",
    },
    header:
      "Backstay eyJhbGciOiJFZERTQSIsInR5cCI6ImJhY2tzdGF5LXJlcXVlc3Qrand0In0.eyJpc3MiOiIwMTk4ZjNjMC0xMTExLTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIiLCJodG0iOiJQT1NUIiwiaHRwIjoiL2FnZW50L3YxL3JlcG9ydHMiLCJiaCI6InFVZXhCV08xLTBrS2pSNjdXUEY4VUZuRkFFam1Ja1BHUlR4bEVPUDg4azAiLCJ0aW1lTXMiOjE3OTAwMDAwMDAxMjMsImp0aSI6IkFRSURCQVVHQndnSkNnc01EUTRQRUEifQ.JXDxMND-OE8QEOSQM3m5CfEdDdumpcoM2JyopKD-gHIOpsg5lycmasNs5U1lD9bugF5mACkWcdx0fh2xEEEpDQ",
  },
  {
    request: {
      issuer: "0198f3c0-1111-7abc-8def-0123456789ab",
      method: "GET",
      path: "/agent/v1/bundle",
      body: new Uint8Array(0),
      timeMs: 1_790_000_000_000,
      nonce: "AQIDBAUGBwgJCgsMDQ4PEA",
      sender: { run: "0198f3c0-run", serial: 1_790_000_001, fingerprint: { machine: "abc" } },
    },
    header:
      "Backstay eyJhbGciOiJFZERTQSIsInR5cCI6ImJhY2tzdGF5LXJlcXVlc3Qrand0In0.eyJpc3MiOiIwMTk4ZjNjMC0xMTExLTdhYmMtOGRlZi0wMTIzNDU2Nzg5YWIiLCJodG0iOiJHRVQiLCJodHAiOiIvYWdlbnQvdjEvYnVuZGxlIiwiYmgiOiI0N0RFUXBqOEhCU2EtX1RJbVctNUpDZXVRZVJrbTVOTXBKV1pHM2hTdUZVIiwidGltZU1zIjoxNzkwMDAwMDAwMDAwLCJqdGkiOiJBUUlEQkFVR0J3Z0pDZ3NNRFE0UEVBIiwicnVuIjoiMDE5OGYzYzAtcnVuIiwic2VyaWFsIjoxNzkwMDAwMDAxLCJmaW5nZXJwcmludCI6eyJtYWNoaW5lIjoiYWJjIn19.YtQV7YIynHJrwkZndtWSHrIZwBhxgHONr2XT5j77idqcZsALvPVZ4OWRiRrq94F7rK1nirC1TU1ys4o_Bw79AA",
  },
];

describe("keys", () => {
  it("have the raw form, the seed and the thumbprint of RFC 8037", () => {
    expect(rawPublicKey(privateKey)).toBe(publicRaw);
    expect(rawPublicKey(publicKey)).toBe(publicRaw);
    expect(rawPrivateKey(privateKey)).toBe(seed);
    expect(keyThumbprint(publicRaw)).toBe("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  });

  it("of X25519 come back too", () => {
    const made = generateKeyPairSync("x25519").privateKey;
    const again = privateKeyOf("x25519", rawPrivateKey(made));
    expect(rawPublicKey(again)).toBe(rawPublicKey(made));
    expect(rawPublicKey(publicKeyOf("x25519", rawPublicKey(made)))).toBe(rawPublicKey(made));
  });

  it("of another length are refused", () => {
    for (const raw of ["", "AAAA", `${seed}A`, "=".repeat(43)]) {
      expect(() => publicKeyOf("ed25519", raw)).toThrow("key");
      expect(() => privateKeyOf("x25519", raw)).toThrow("key");
    }
  });
});

describe("the signature of a request", () => {
  it("is made as it was recorded", () => {
    for (const { request, header } of recorded)
      expect(signRequest(request, privateKey)).toBe(header);
  });

  it("as recorded is verified for its request", () => {
    for (const { request, header } of recorded) {
      const signature = readRequestSignature(header);
      expect(signature?.isBy(publicKey)).toBe(true);
      expect(signature?.claims).toMatchObject({ iss: request.issuer, timeMs: request.timeMs });
      expect(signature !== undefined && areClaimsOf(signature.claims, request)).toBe(true);
    }
  });

  it("counts for no other method, path or body", () => {
    const [{ request, header }] = recorded;
    const claims = readRequestSignature(header)?.claims;
    const others: Partial<SignedRequest>[] = [
      { method: "PUT" },
      { path: "/agent/v1/wake?cursor=c1+2" },
      { path: "/agent/v1/wake" },
      { body: Buffer.from(" ") },
    ];
    for (const other of others)
      expect(claims !== undefined && areClaimsOf(claims, { ...request, ...other })).toBe(false);
  });

  it("is no other key's", () => {
    const other = generateKeyPairSync("ed25519").publicKey;
    for (const { header } of recorded)
      expect(readRequestSignature(header)?.isBy(other)).toBe(false);
  });

  it("fails with any character changed, and nothing throws", () => {
    const [{ header }] = recorded;
    fc.assert(
      fc.property(
        fc.nat(header.length - 2),
        fc.constantFrom(..."ABCxyz019-_.= é"),
        (at, character) => {
          fc.pre(header[at] !== character);
          const changed = header.slice(0, at) + character + header.slice(at + 1);
          expect(readRequestSignature(changed)?.isBy(publicKey) ?? false).toBe(false);
        },
      ),
    );
  });

  it("is not one of something else that the same key signed", () => {
    const claims = readRequestSignature(recorded[0].header)?.claims;
    const foreign = signJws("backstay-fork+jwt", claims, privateKey);
    expect(readRequestSignature(`Backstay ${foreign}`)).toBeUndefined();
    for (const wrong of [
      { ...claims, jti: "short" },
      { ...claims, timeMs: "1" },
      { ...claims, serial: -1 },
      { ...claims, fingerprint: { a: 1 } },
      { ...claims, run: "r".repeat(65) },
      null,
      [1],
      "x",
    ]) {
      const header = `Backstay ${signJws(requestSignatureType, wrong, privateKey)}`;
      expect(readRequestSignature(header)).toBeUndefined();
    }
  });

  it("is none with other algorithms or critical headers", () => {
    const [, body, signature] = recorded[0].header.split(".");
    const headers = [
      { alg: "none", typ: requestSignatureType },
      { alg: "HS256", typ: requestSignatureType },
      { alg: "EdDSA", typ: requestSignatureType, crit: ["b64"], b64: false },
    ];
    for (const header of headers) {
      const head = Buffer.from(JSON.stringify(header)).toString("base64url");
      expect(readRequestSignature(`Backstay ${head}.${body}.${signature}`)).toBeUndefined();
    }
    for (const text of [undefined, "", "Bearer x", "Backstay ", `Backstay ${"a.".repeat(9000)}`])
      expect(readRequestSignature(text)).toBeUndefined();
  });
});
