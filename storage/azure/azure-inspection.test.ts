/** What is found out about a place: against Azurite, and against answers that Azurite never gives. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Azurite } from "../../test/object-storage/azurite.ts";
import { answer, type Script, ScriptedServer } from "../../test/rest/scripted-server.ts";
import { type PlaceFinding, placeChecks } from "../place-finding.ts";
import { openAzureInspection } from "./azure-inspection.ts";
import { type AzureStoreOptions, openAzureStore } from "./azure-store.ts";

const never = new AbortController().signal;
let azurite: Azurite;
beforeAll(async () => {
  azurite = await Azurite.start();
});
afterAll(async () => await azurite.stop());

async function findings(place: string, options: AzureStoreOptions): Promise<PlaceFinding[]> {
  const inspection = openAzureInspection(place, options);
  try {
    return await Array.fromAsync(inspection.findings(never));
  } finally {
    await inspection.close();
  }
}

describe("a place in Azurite", () => {
  it("is good, leaves nothing behind, and says what can't be known", async () => {
    const { environment } = azurite;
    const store = openAzureStore("looked-at:/p", { environment });
    await store.create(never);
    const found = await findings("looked-at:/p", { environment });
    expect(found.map(({ check }) => check)).toEqual(placeChecks);
    expect(found.filter(({ verdict }) => verdict !== "good").map(({ check }) => check)).toEqual([
      "lifecycle",
    ]);
    expect(found.every(({ verdict, remedy }) => verdict === "good" || remedy !== undefined)).toBe(
      true,
    );
    expect(await Array.fromAsync(store.list("backstay", never))).toEqual([]);
    await store.close();
  });
  it("that can't lock, for backups that are to be locked, or whose packs could not be read, is told", async () => {
    const options = { environment: azurite.environment, storageClass: "Archive" };
    const retention = { mode: "compliance", days: 30 } as const;
    const found = await findings("looked-at:/p", { ...options, retention });
    const verdicts = Object.fromEntries(found.map(({ check, verdict }) => [check, verdict]));
    expect(verdicts).toMatchObject({ "retention-lock": "bad", "storage-class": "warning" });
  });
  it("that is not there ends with that", async () => {
    const { environment } = azurite;
    const found = await findings("not-there:/p", { environment });
    expect(found).toMatchObject([{ check: "reach", verdict: "bad" }]);
  });
});

describe("a place in an account", () => {
  let server: ScriptedServer;
  beforeAll(async () => {
    server = await ScriptedServer.start(() => undefined);
  });
  afterAll(async () => await server.stop());

  async function verdicts(properties: Script): Promise<Record<string, PlaceFinding>> {
    server.script = (head, body) => {
      const [line = ""] = head.split("\r\n");
      if (line.includes("comp=list"))
        return answer(
          200,
          '<?xml version="1.0"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="container"><Blobs /><NextMarker /></EnumerationResults>',
          ["content-type: application/xml"],
        );
      if (/^(HEAD|GET) .*restype=/.test(line)) return properties(head, body);
      return answer(403, "", ["x-ms-error-code: AuthorizationPermissionMismatch"]);
    };
    const environment = {
      BACKSTAY_AZURE_ENDPOINT: `http://${server.host}/account`,
      AZURE_ACCOUNT_NAME: "account",
      AZURE_ACCOUNT_KEY: "a2V5",
    };
    const found = await findings("container:/p", { environment });
    return Object.fromEntries(found.map((finding) => [finding.check, finding]));
  }

  it("of the first general-purpose kind, in a locked container, with soft delete, is told so", async () => {
    const found = await verdicts((head) => {
      if (/restype=account/.test(head))
        return answer(200, "", ["x-ms-account-kind: Storage", "x-ms-sku-name: Standard_LRS"]);
      if (/restype=service/.test(head))
        return answer(
          200,
          '<?xml version="1.0"?><StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled><Days>14</Days></DeleteRetentionPolicy></StorageServiceProperties>',
          ["content-type: application/xml"],
        );
      return answer(200, "", [
        'etag: "1"',
        "x-ms-has-immutability-policy: true",
        "x-ms-has-legal-hold: false",
      ]);
    });
    expect(found["account-kind"]?.verdict).toBe("bad");
    expect(found["retention-lock"]?.verdict).toBe("bad");
    expect(found["soft-delete"]).toMatchObject({ verdict: "warning" });
    expect(found["soft-delete"]?.found).toContain("14 days");
    expect(found["write"]?.verdict).toBe("bad");
  });
  it("that may lock is good, and what may not be asked is unknown", async () => {
    const found = await verdicts((head) =>
      /restype=(account|service)/.test(head)
        ? answer(403, "", ["x-ms-error-code: AuthorizationPermissionMismatch"])
        : answer(200, "", ['etag: "1"', "x-ms-immutable-storage-with-versioning-enabled: true"]),
    );
    expect(found["account-kind"]?.verdict).toBe("unknown");
    expect(found["retention-lock"]?.verdict).toBe("good");
    expect(found["soft-delete"]?.verdict).toBe("unknown");
  });
});
