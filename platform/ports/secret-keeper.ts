/**
 * Secrets at rest on one machine, bound to it as far as the system can. Names are those that policies use: 1 to 64 of a-z,
 * 0-9, dot, dash and underscore, with a letter or digit at both ends.
 */

export const secretLimits = { bytesMax: 64 * 1024 } as const;

export interface SecretKeeper {
  /** How secrets that are written now are protected, for people and for `doctor`. */
  readonly protection: SecretProtection;
  /** Bound to hardware or to the system's own key, so that a copied file is worth nothing elsewhere. */
  readonly machineBound: boolean;
  /** In alphabetical order. SECRET_PLACE. */
  names(): Promise<readonly string[]>;
  /** SECRET_INVALID (the name), SECRET_MISSING, SECRET_UNREADABLE, SECRET_PLACE. */
  read(name: string): Promise<Uint8Array>;
  /**
   * Replaces durably: afterwards the old or the new secret is there, never half of one. A secret has 1 byte to 64 KiB.
   * SECRET_INVALID, SECRET_PLACE.
   */
  write(name: string, secret: Uint8Array): Promise<void>;
  /** SECRET_INVALID (the name), SECRET_MISSING, SECRET_PLACE. */
  remove(name: string): Promise<void>;
}

export type SecretProtection = "systemd-creds" | "dpapi" | "keychain" | "file";
