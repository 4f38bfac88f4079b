/** Who reads bundles on this machine, and how failures of signed documents are called there. */
import type { KeyObject } from "node:crypto";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";

/** For whom bundles are read, and whom this machine believes. */
export interface BundleReader {
  readonly tenantId: string;
  readonly agentId: string;
  /** Pinned at enrolment: 32 bytes, base64url. */
  readonly rootKey: string;
  /** X25519 private key. */
  readonly sealingKey: KeyObject;
}

/** Refusals of signed documents as those of a bundle; `unsigned` is the word for a bad signature. */
export function translated<T>(
  unsigned: "BUNDLE_UNSIGNED" | "BUNDLE_TRUST" | "BUNDLE_DESTINATION",
  read: () => T,
): T {
  try {
    return read();
  } catch (error) {
    if (!isBackstayError(error)) throw error;
    if (unsigned !== "BUNDLE_UNSIGNED") throw new BackstayError(unsigned, error.context, error);
    if (error.code === "SIGNED_TOO_LARGE")
      throw new BackstayError("BUNDLE_TOO_LARGE", error.context, error);
    if (error.code === "SIGNED_TRUNCATED")
      throw new BackstayError("BUNDLE_TRUNCATED", error.context, error);
    if (error.code === "SIGNED_CONTENT")
      throw new BackstayError("BUNDLE_INVALID", error.context, error);
    throw new BackstayError(unsigned, error.context, error);
  }
}
