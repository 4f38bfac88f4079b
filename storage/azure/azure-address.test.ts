import { describe, expect, it } from "vitest";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { azureAccount, azurePlace, azureSecrets } from "./azure-address.ts";

const key = { AZURE_ACCOUNT_NAME: "anaccount", AZURE_ACCOUNT_KEY: "c2VjcmV0IGtleQ==" };

function problemOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof BackstayError && error.code === "USAGE") return error.message;
    throw error;
  }
  return expect.fail("it was taken");
}

describe("an azure: address", () => {
  it("names a container and a prefix, however the slashes are written", () => {
    const places: readonly [place: string, container: string, prefix: string, shown: string][] = [
      ["backups:/", "backups", "", "azure:backups:/"],
      ["backups:", "backups", "", "azure:backups:/"],
      ["backups:/a", "backups", "a/", "azure:backups:/a"],
      ["backups:a/b/", "backups", "a/b/", "azure:backups:/a/b"],
      ["back-ups-2://a/./b", "back-ups-2", "a/b/", "azure:back-ups-2:/a/b"],
      ["$root:/x", "$root", "x/", "azure:$root:/x"],
    ];
    for (const [place, container, prefix, location] of places)
      expect(azurePlace(place)).toEqual({ container, prefix, location });
  });
  it("is refused if it is none", () => {
    for (const place of [
      "",
      "backups",
      "ab:/",
      "Backups:/",
      "a--b:/",
      "-ab:/",
      "a/b:/",
      "abc:/../x",
    ])
      problemOf(() => azurePlace(place));
  });
});

describe("the account of an environment", () => {
  it("is in Microsoft's cloud, in another, or where an endpoint says", () => {
    const endpoints: readonly [environment: Record<string, string>, endpoint: string][] = [
      [{}, "https://anaccount.blob.core.windows.net"],
      [
        { AZURE_ENDPOINT_SUFFIX: "core.chinacloudapi.cn" },
        "https://anaccount.blob.core.chinacloudapi.cn",
      ],
      [{ BACKSTAY_AZURE_ENDPOINT: "https://blobs.example/" }, "https://blobs.example"],
      [
        { BACKSTAY_AZURE_ENDPOINT: "http://10.0.0.1:10000/anaccount/" },
        "http://10.0.0.1:10000/anaccount",
      ],
    ];
    for (const [environment, endpoint] of endpoints)
      expect(azureAccount({ ...key, ...environment }).endpoint).toBe(endpoint);
  });
  it("proves who it is by its key, by a signature, or by Entra ID, in this order", () => {
    const signature = { AZURE_ACCOUNT_SAS: "?sv=2024&sig=abc%3D" };
    expect(azureAccount({ ...key, ...signature }).proof.kind).toBe("key");
    expect(azureAccount({ ...key, AZURE_ACCOUNT_KEY: "", ...signature }).proof).toEqual({
      kind: "signature",
      signature: "sv=2024&sig=abc%3D",
    });
    expect(azureAccount({ AZURE_ACCOUNT_NAME: "anaccount" }).proof).toEqual({ kind: "entra" });
  });
  it("is refused if something is missing or can't be", () => {
    const environments: readonly Record<string, string>[] = [
      {},
      { AZURE_ACCOUNT_NAME: "An.Account" },
      { ...key, AZURE_ENDPOINT_SUFFIX: "evil.example/path" },
      { ...key, BACKSTAY_AZURE_ENDPOINT: "ftp://blobs.example" },
      { ...key, BACKSTAY_AZURE_ENDPOINT: "https://me:planted@blobs.example" },
      { BACKSTAY_AZURE_ENDPOINT: "https://blobs.example", AZURE_ACCOUNT_KEY: "planted" },
      { BACKSTAY_AZURE_ENDPOINT: "http://blobs.example", AZURE_ACCOUNT_NAME: "anaccount" },
    ];
    for (const environment of environments)
      expect(problemOf(() => azureAccount(environment))).not.toContain("planted");
  });
  it("has secrets in every form in which they are sent", () => {
    const secrets = azureSecrets({ ...key, AZURE_ACCOUNT_SAS: "?sv=1&sig=ab%2Bc%3D" });
    expect(secrets).toEqual(
      expect.arrayContaining([key.AZURE_ACCOUNT_KEY, "ab+c=", "ab%2Bc%3D", "?sv=1&sig=ab%2Bc%3D"]),
    );
  });
});
