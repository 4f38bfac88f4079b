/** What is found out about a place in a container of Azure. Nothing of the container is changed. */
import { randomBytes } from "node:crypto";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { clockFinding } from "../http/clock-finding.ts";
import type { ObjectStore } from "../object-store.ts";
import { failed, ownObjectFindings } from "../own-object-findings.ts";
import type { PlaceCheck, PlaceFinding, PlaceInspection } from "../place-finding.ts";
import type { PrefixedPlace } from "../prefixed-place.ts";
import { azureAccount, azurePlace } from "./azure-address.ts";
import { AzureConnection } from "./azure-connection.ts";
import { azureHttpPlace } from "./azure-http-client.ts";
import { type AzureStoreOptions, openAzureStore } from "./azure-store.ts";

/** What a blob of the inspection turned out to be. */
interface TriedBlob {
  readonly hasVersion: boolean;
  readonly tier: string | undefined;
}

/** `place` is what follows `azure:`. USAGE as `openAzureStore`. */
export function openAzureInspection(place: string, options: AzureStoreOptions): PlaceInspection {
  return new AzureInspection(place, options);
}

class AzureInspection implements PlaceInspection {
  readonly #place: PrefixedPlace;
  readonly #options: AzureStoreOptions;
  readonly #store: ObjectStore;
  readonly #connection: AzureConnection;

  constructor(place: string, options: AzureStoreOptions) {
    this.#place = azurePlace(place);
    this.#options = options;
    // Its object is to be removed again.
    this.#store = openAzureStore(place, { ...options, retention: undefined });
    this.#connection = new AzureConnection({ ...options, ...this.#place });
  }

  async *findings(signal: AbortSignal): AsyncGenerator<PlaceFinding> {
    const reach = await this.#reach(signal);
    yield reach;
    if (reach.verdict === "bad") return;
    const { endpoint } = azureAccount(this.#options.environment);
    const server = { ...this.#place, environment: this.#options.environment };
    yield await clockFinding(azureHttpPlace(new URL(endpoint), server), Date.now, signal);
    yield await this.#accountKind(signal);
    yield* ownObjectFindings(this.#store, signal);
    const tried = await this.#try(signal);
    yield versioningFinding(tried);
    yield await this.#retentionLock(signal);
    yield {
      check: "lifecycle",
      verdict: "unknown",
      found: "Accounts that store can't ask Azure for rules by which it moves or removes blobs.",
      remedy:
        "See in the portal, under Lifecycle management, that no rule is about this container: backups would be lost.",
    };
    yield await this.#softDelete(signal);
    yield storageClassFinding(tried, this.#options.storageClass);
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#connection.close();
  }

  async #reach(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "reach";
    const { container: name, location, prefix } = this.#place;
    try {
      await this.#connection.call({}, signal, async (container) => {
        const pages = container.listBlobsFlat({ prefix, abortSignal: signal });
        await pages.byPage({ maxPageSize: 1 }).next();
      });
    } catch (error) {
      if (isBackstayError(error, "STORE_MISSING"))
        return {
          check,
          verdict: "bad",
          found: `There is no container ${name}.`,
          remedy:
            "Make it, with version-level immutability if backups shall be locked, or correct its name.",
        };
      if (!isBackstayError(error, "STORE_DENIED")) return failed(check, error, signal);
    }
    return { check, verdict: "good", found: `${location} answers.` };
  }

  async #accountKind(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "account-kind";
    return await this.#asked(check, signal, async () => {
      const info = await this.#connection.call(
        {},
        signal,
        async (container) => await container.getAccountInfo({ abortSignal: signal }),
      );
      const { accountKind = "unknown", skuName = "unknown" } = info;
      const folders = info.isHierarchicalNamespaceEnabled === true ? ", with real folders" : "";
      const found = `A ${accountKind} account (${skuName})${folders}.`;
      if (accountKind !== "Storage") return { check, verdict: "good", found };
      return {
        check,
        verdict: "bad",
        found: `${found} Accounts of this old kind know no access tiers and no immutability.`,
        remedy: "Upgrade the account to general-purpose v2, which Azure does in place.",
      };
    });
  }

  async #retentionLock(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "retention-lock";
    return await this.#asked(check, signal, async () => {
      const { isImmutableStorageWithVersioningEnabled, hasImmutabilityPolicy, hasLegalHold } =
        await this.#connection.call(
          {},
          signal,
          async (container) => await container.getProperties({ abortSignal: signal }),
        );
      if (isImmutableStorageWithVersioningEnabled === true)
        return { check, verdict: "good", found: "Blobs can be locked each for itself." };
      if (hasImmutabilityPolicy === true || hasLegalHold === true)
        return {
          check,
          verdict: "bad",
          found:
            "The whole container is locked: locks of sessions could not be removed, and every session would find the one before.",
          remedy:
            "Use a container with version-level immutability, where Backstay locks what has to be locked.",
        };
      const isWanted = this.#options.retention !== undefined;
      return {
        check,
        verdict: isWanted ? "bad" : "good",
        found:
          "Version-level immutability is off: policies with immutable backups can't use this place.",
        ...(isWanted ? { remedy: "Make a container with version-level immutability." } : {}),
      };
    });
  }

  async #softDelete(signal: AbortSignal): Promise<PlaceFinding> {
    const check = "soft-delete";
    return await this.#asked(check, signal, async () => {
      const { deleteRetentionPolicy } = await this.#connection.call(
        {},
        signal,
        async (_container, account) => await account.getProperties({ abortSignal: signal }),
      );
      if (deleteRetentionPolicy?.enabled !== true)
        return { check, verdict: "good", found: "Soft delete is off." };
      return {
        check,
        verdict: "warning",
        found: `Soft delete is on: what is removed goes on being stored, and charged, for ${deleteRetentionPolicy.days ?? "some"} days.`,
        remedy: "Turn soft delete for blobs off; immutable backups protect better.",
      };
    });
  }

  /** Stores a blob of the tier that packs are to have, looks at it, and removes it; or the error. */
  async #try(signal: AbortSignal): Promise<TriedBlob | PlaceFinding> {
    const { storageClass } = this.#options;
    const name = `${this.#place.prefix}backstay/inspection-${randomBytes(8).toString("hex")}`;
    const options = {
      abortSignal: signal,
      conditions: { ifNoneMatch: "*" },
      ...(storageClass === undefined ? {} : { tier: storageClass }),
    };
    try {
      return await this.#connection.call({}, signal, async (container) => {
        const blob = container.getBlockBlobClient(name);
        await blob.upload("", 0, options);
        const { versionId, accessTier } = await blob.getProperties({ abortSignal: signal });
        // An account that may not remove has been found out already.
        await blob.delete({ abortSignal: signal }).catch(() => undefined);
        return { hasVersion: versionId !== undefined, tier: accessTier };
      });
    } catch (error) {
      return failed("storage-class", error, signal);
    }
  }

  /** The finding of `ask`, or that the account may not ask. */
  async #asked(
    check: PlaceCheck,
    signal: AbortSignal,
    ask: () => Promise<PlaceFinding>,
  ): Promise<PlaceFinding> {
    try {
      return await ask();
    } catch (error) {
      if (!isBackstayError(error, "STORE_DENIED")) return failed(check, error, signal);
      return {
        check,
        verdict: "unknown",
        found: "This account may not ask for it.",
        remedy: "Test the place with the key of the account, or look in the portal.",
      };
    }
  }
}

function versioningFinding(tried: TriedBlob | PlaceFinding): PlaceFinding {
  const check = "versioning";
  if ("verdict" in tried)
    return {
      check,
      verdict: "unknown",
      found: "No blob could be stored to see whether it has a version.",
      remedy: "See to it that the account may write.",
    };
  return {
    check,
    verdict: "good",
    found: tried.hasVersion
      ? "Versions are kept: what is removed goes on being stored, and charged, as an older version."
      : "Versions are not kept: what is removed is gone.",
  };
}

function storageClassFinding(
  tried: TriedBlob | PlaceFinding,
  wanted: string | undefined,
): PlaceFinding {
  const check = "storage-class";
  if ("verdict" in tried) return tried;
  const found = `New ${wanted === undefined ? "blobs" : "packs"} get the tier ${tried.tier ?? "of the account"}.`;
  if (tried.tier !== "Archive") return { check, verdict: "good", found };
  return {
    check,
    verdict: "warning",
    found: `${found} They can't be read before they are brought back, which takes hours and is charged.`,
    remedy: "Choose Hot, Cool or Cold for backups that may be needed soon.",
  };
}
