/** Who is at the other end of a connection on this machine, by what the system says and not the peer itself. */
import type { Socket } from "node:net";

export type Peer =
  /** The user whose program connected; the process id is 0 where it can't be seen from here. */
  | { readonly kind: "user"; readonly uid: number; readonly processId: number }
  /** The system lets nobody but administrators send anything over this kind of connection. */
  | { readonly kind: "administrator" }
  /** The system does not tell. Nothing may be allowed to such a peer that not everybody may do. */
  | { readonly kind: "unknown" };

export interface PeerIdentity {
  /** True if users are told apart, so that everybody may be let in. */
  readonly tellsUsers: boolean;
  /** To be asked of a connection just accepted; never throws. */
  peerOf(socket: Socket): Peer;
}
