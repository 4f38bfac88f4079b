/** What a policy may ask about the network that the machine is on. */

export interface NetworkState {
  /** Undefined where the system can't tell. */
  readonly metered: boolean | undefined;
  readonly vpn: boolean | undefined;
  /** Names of the wireless networks in use; undefined where they can't be read. */
  readonly wifiNames: readonly string[] | undefined;
  /** True if there is a way to other machines at all. */
  readonly online: boolean | undefined;
}

export interface Network {
  state(): Promise<NetworkState>;
}
