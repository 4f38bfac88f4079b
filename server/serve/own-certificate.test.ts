import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect as connectTls, createServer } from "node:tls";
import { expect, it } from "vitest";
import { pinOfKey } from "../../platform/server-pins.ts";
import { isStillGood, makeCertificate, makeCertificateKey } from "./own-certificate.ts";

const dayMs = 86_400_000;
const names = [
  "backup.example",
  "localhost",
  "127.0.0.1",
  "::1",
  "2001:db8::a:0:0:1",
  "10.20.30.40",
];
const keyText = makeCertificateKey();
const key = createPrivateKey(keyText);

it("makes certificates that others read: names, addresses, validity, purpose", () => {
  const nowMs = Date.UTC(2026, 6, 1, 12);
  const certificate = new X509Certificate(makeCertificate(key, names, nowMs));
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(key)).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(certificate.subject).toBe("CN=backstay-server");
  expect(certificate.validFromDate.getTime()).toBe(nowMs - dayMs);
  expect(certificate.validToDate.getTime()).toBe(nowMs + 396 * dayMs);
  for (const name of names.slice(0, 2)) expect(certificate.checkHost(name), name).toBe(name);
  for (const name of names.slice(2)) expect(certificate.checkIP(name), name).toBe(name);
  expect(certificate.checkHost("other.example")).toBeUndefined();
  expect(certificate.checkIP("10.20.30.41")).toBeUndefined();
  expect(pinOfKey(certificate.publicKey)).toBe(pinOfKey(key));
  const later = new X509Certificate(makeCertificate(key, names, Date.UTC(2055, 0, 1)));
  expect(later.validFromDate.getTime()).toBe(Date.UTC(2054, 11, 31));
});

it("is strict enough for OpenSSL", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-certificate-"));
  try {
    const file = path.join(folder, "c.pem");
    writeFileSync(file, makeCertificate(key, names, Date.now()));
    const said = execFileSync("openssl", ["verify", "-x509_strict", "-CAfile", file, file]);
    expect(said.toString()).toContain("OK");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("serves TLS to who trusts it by name", async () => {
  const certificate = makeCertificate(key, names, Date.now());
  const server = createServer({ key: keyText, cert: certificate }, (socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connectTls({
      port,
      host: "127.0.0.1",
      servername: "backup.example",
      ca: certificate,
    });
    socket.once("error", reject);
    socket.once("data", (data) => resolve(data.toString()));
  });
  expect(text).toBe("hello");
  await new Promise((resolve) => server.close(resolve));
});

it("is to be renewed before its end, for new names, for another key, and if it is none", () => {
  const nowMs = Date.now();
  const certificate = makeCertificate(key, names, nowMs);
  expect(isStillGood(certificate, key, names, nowMs)).toBe(true);
  expect(isStillGood(certificate, key, ["localhost"], nowMs + 300 * dayMs)).toBe(true);
  expect(isStillGood(certificate, key, names, nowMs + 340 * dayMs)).toBe(false);
  expect(isStillGood(certificate, key, names, nowMs - 2 * dayMs)).toBe(false);
  expect(isStillGood(certificate, key, [...names, "new.example"], nowMs)).toBe(false);
  expect(isStillGood(certificate, key, [...names, "10.0.0.1"], nowMs)).toBe(false);
  expect(isStillGood(certificate, createPrivateKey(makeCertificateKey()), names, nowMs)).toBe(
    false,
  );
  expect(isStillGood("nonsense", key, names, nowMs)).toBe(false);
});
