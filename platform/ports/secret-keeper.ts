/** Secrets at rest on one machine, bound to it as far as the system can. */

export interface SecretKeeper {
  /** How secrets are protected here, for people and for `doctor`. */
  readonly protection: "systemd-creds" | "dpapi" | "keychain" | "file";
  /** Bound to hardware or to the system's own key, so that a copied file is worth nothing elsewhere. */
  readonly machineBound: boolean;
  names(): Promise<readonly string[]>;
  /** SECRET_MISSING, SECRET_UNREADABLE. */
  read(name: string): Promise<Uint8Array>;
  /** Replaces durably: afterwards the old or the new secret is there, never half of one. */
  write(name: string, secret: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}
