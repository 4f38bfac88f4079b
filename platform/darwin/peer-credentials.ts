/** Who connected to a Unix socket, as `getpeereid` of macOS tells. */
import type { Socket } from "node:net";
import koffi from "koffi";
import { socketDescriptor } from "../node/socket-descriptor.ts";
import type { Peer, PeerIdentity } from "../ports/peer-identity.ts";

export class DarwinPeerIdentity implements PeerIdentity {
  readonly tellsUsers = true;
  readonly #getpeereid = koffi
    .load(null)
    .func("getpeereid", "int", ["int", "uint32_t *", "uint32_t *"]) as (
    descriptor: number,
    uid: Uint32Array,
    gid: Uint32Array,
  ) => number;
  readonly #uid = new Uint32Array(1);
  readonly #gid = new Uint32Array(1);

  peerOf(socket: Socket): Peer {
    const descriptor = socketDescriptor(socket);
    if (descriptor === undefined) return { kind: "unknown" };
    if (this.#getpeereid(descriptor, this.#uid, this.#gid) !== 0) return { kind: "unknown" };
    return { kind: "user", uid: this.#uid[0], processId: 0 };
  }
}
