import { expect, it } from "vitest";
import { newRecoveryKey, openRecovery, recoveryKeyId, sealRecovery } from "./recovery-key.ts";
import { sealSecret } from "./sealed-secret.ts";

const secret = { agentId: "a", repositoryId: "r", keyName: "k", password: "recovery" };

it("what a machine seals is opened with the private half, for that machine and repository only", () => {
  const { id, publicKey, privateKey } = newRecoveryKey();
  expect(id).toBe(recoveryKeyId(publicKey));
  const sealed = sealRecovery(secret, publicKey);
  expect(sealed.length).toBeLessThan(4000);
  expect(openRecovery(sealed, privateKey, secret)).toEqual(secret);
  for (const other of [
    { agentId: "b", repositoryId: "r" },
    { agentId: "a", repositoryId: "s" },
  ])
    expect(() => openRecovery(sealed, privateKey, other)).toThrow("another machine");
  expect(() => openRecovery(sealed, newRecoveryKey().privateKey, secret)).toThrow("to this key");
});

it("what holds no recovery password is refused", () => {
  const { publicKey, privateKey } = newRecoveryKey();
  for (const text of ["", "null", '{"agentId":"a","repositoryId":"r"}'])
    expect(() =>
      openRecovery(sealSecret(Buffer.from(text), publicKey), privateKey, secret),
    ).toThrow();
  expect(() => openRecovery("", "short", secret)).toThrow("not one");
});
