/**
 * Accounts of a storage that end after some time: asked for when one is needed, again before it ends, and again when the
 * storage says that it has ended.
 */

export interface StorageAccount {
  /** Under restic's names: `AWS_ACCESS_KEY_ID`, `AWS_SESSION_TOKEN`, `AZURE_ACCOUNT_SAS`, `GOOGLE_ACCESS_TOKEN`, … */
  readonly settings: Readonly<Record<string, string>>;
  /** Ms since 1970; undefined: it does not end. */
  readonly expiresMs: number | undefined;
}

export interface AccountSource {
  /**
   * An account that is good now. Answers at once while the one before has more than a third of its life left, unless
   * `refused` is that one: the storage has refused it. Rejects with STORE_UNAVAILABLE if none is to be had at the moment.
   */
  account(signal: AbortSignal, refused?: StorageAccount): Promise<StorageAccount>;
}
