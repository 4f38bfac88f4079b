/** Gives what this system can tell about the other end of a local connection. */
import { DarwinPeerIdentity } from "./darwin/peer-credentials.ts";
import { LinuxPeerIdentity } from "./linux/peer-credentials.ts";
import type { PeerIdentity } from "./ports/peer-identity.ts";

export function openPeerIdentity(): PeerIdentity {
  switch (process.platform) {
    case "linux":
      return new LinuxPeerIdentity();
    case "darwin":
      return new DarwinPeerIdentity();
    case "win32":
      // Node makes its pipes with the system's own rights: everybody else may read them, and so never ask.
      return { tellsUsers: false, peerOf: () => ({ kind: "administrator" }) };
    default:
      return { tellsUsers: false, peerOf: () => ({ kind: "unknown" }) };
  }
}
