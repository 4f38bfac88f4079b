import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { expect, it } from "vitest";
import { azureSignature, type SignatureOrder, type SigningKey } from "./azure-signature.ts";

const key = Buffer.from("a key of thirty-two bytes or so").toString("base64");
const startMs = Date.UTC(2026, 6, 1, 12);
const order: SignatureOrder = {
  accountName: "backups",
  container: "machine-a",
  directory: undefined,
  permissions: "rcwdl",
  startMs,
  expiresMs: startMs + 3_600_000,
  withPlainHttp: false,
};
const delegated: SigningKey = {
  kind: "delegated",
  key,
  objectId: "object-id",
  tenantId: "tenant-id",
  start: "2026-07-01T00:00:00Z",
  end: "2026-07-07T00:00:00Z",
  service: "b",
  version: "2021-12-02",
};
const asked = {
  containerName: order.container,
  permissions: ContainerSASPermissions.parse(order.permissions),
  startsOn: new Date(order.startMs),
  expiresOn: new Date(order.expiresMs),
  protocol: SASProtocol.Https,
  version: "2021-12-02",
};
const sorted = (query: string): string => {
  const parameters = new URLSearchParams(query);
  parameters.sort();
  return parameters.toString();
};

it("signs a container by the account's key as Azure's own library does", () => {
  const credential = new StorageSharedKeyCredential(order.accountName, key);
  const expected = generateBlobSASQueryParameters(asked, credential).toString();
  expect(sorted(azureSignature(order, { kind: "account", key }))).toEqual(sorted(expected));
});

it("signs a container by a key that Entra ID has lent as Azure's own library does", () => {
  const expected = generateBlobSASQueryParameters(
    asked,
    {
      signedObjectId: delegated.objectId,
      signedTenantId: delegated.tenantId,
      signedStartsOn: new Date(delegated.start),
      signedExpiresOn: new Date(delegated.end),
      signedService: delegated.service,
      signedVersion: delegated.version,
      value: key,
    },
    order.accountName,
  ).toString();
  expect(sorted(azureSignature(order, delegated))).toEqual(sorted(expected));
});

it("signs a directory with the number of its folders", () => {
  const query = azureSignature({ ...order, directory: "fleet/tenant/machine-a" }, delegated);
  expect(Object.fromEntries(new URLSearchParams(query))).toMatchObject({ sr: "d", sdd: "3" });
});
