/** A private authority and a certificate of it, made by openssl. */
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pinOfKey } from "../../platform/server-pins.ts";
import { makeCertificateKey } from "../../server/serve/own-certificate.ts";
import type { TestCertificate } from "./identity-server.ts";

export interface TestAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  readonly pin: string;
  /** A certificate that it signs, with its own behind it. `name` as `IP:127.0.0.1` or `DNS:localhost`. */
  certificateFor(name: string): TestCertificate;
  /** One that names it as its issuer, and that it has never signed. */
  forgedFor(name: string): TestCertificate;
}

/** A new authority. */
export function makeTestAuthority(): TestAuthority {
  const own = newAuthority();
  const namesake = newAuthority();
  return {
    cert: own.cert,
    pin: own.pin,
    certificateFor: (name) => issued(own, own.cert, name),
    forgedFor: (name) => issued(namesake, own.cert, name),
  };
}

interface Authority {
  readonly key: string;
  readonly cert: string;
  readonly pin: string;
}

function newAuthority(): Authority {
  return inFolder((folder) => {
    const key = makeCertificateKey();
    writeFileSync(path.join(folder, "key.pem"), key);
    openssl(folder, "req -x509 -new -key key.pem -subj /CN=authority -days 30 -out cert.pem");
    const cert = readFileSync(path.join(folder, "cert.pem"), "utf8");
    return { key, cert, pin: pinOfKey(createPrivateKey(key)) };
  });
}

/** `shown`: the certificate that goes behind it. */
function issued(authority: Authority, shown: string, name: string): TestCertificate {
  return inFolder((folder) => {
    const key = makeCertificateKey();
    const put = (file: string, text: string): void => writeFileSync(path.join(folder, file), text);
    put("key.pem", key);
    put("authority-key.pem", authority.key);
    put("authority.pem", authority.cert);
    put("extensions", `subjectAltName=${name}\nbasicConstraints=CA:FALSE\n`);
    openssl(folder, "req -new -key key.pem -subj /CN=server -out request.pem");
    openssl(
      folder,
      "x509 -req -in request.pem -CA authority.pem -CAkey authority-key.pem -days 20 -extfile extensions -out cert.pem",
    );
    const cert = readFileSync(path.join(folder, "cert.pem"), "utf8");
    const { publicKey } = new X509Certificate(cert);
    return { key, cert: `${cert}${shown}`, pin: pinOfKey(publicKey) };
  });
}

function openssl(folder: string, args: string): void {
  execFileSync("openssl", args.split(" "), { cwd: folder, stdio: "pipe" });
}

function inFolder<Made>(work: (folder: string) => Made): Made {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-authority-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
