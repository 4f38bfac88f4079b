/** Who connected to a Unix socket: what Linux noted down when the connection was made (`SO_PEERCRED`). */
import type { Socket } from "node:net";
import { socketDescriptor } from "../node/socket-descriptor.ts";
import type { Peer, PeerIdentity } from "../ports/peer-identity.ts";
import { declareCall } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const socketLevel = 1;
const peerCredentials = 17;
/** `struct ucred`: process, user and group, four bytes each. */
const credentialBytes = 12;
/** What the kernel says for a user that this user namespace has no number for. */
const overflowUid = 65_534;

export class LinuxPeerIdentity implements PeerIdentity {
  readonly tellsUsers = true;
  readonly #getsockopt = declareCall("getsockopt", "int", ["int", "int", "int", "int64", "int64"]);
  readonly #memory = new NativeMemory(16);

  peerOf(socket: Socket): Peer {
    const descriptor = socketDescriptor(socket);
    if (descriptor === undefined) return { kind: "unknown" };
    const { words, address } = this.#memory;
    const lengthWord = 3;
    words[lengthWord] = credentialBytes;
    const result = this.#getsockopt(
      descriptor,
      socketLevel,
      peerCredentials,
      address,
      address + lengthWord * 4,
    );
    if (result !== 0 || words[lengthWord] !== credentialBytes) return { kind: "unknown" };
    const [processId, uid] = words;
    if (uid === overflowUid || uid === 0xffff_ffff) return { kind: "unknown" };
    return { kind: "user", uid, processId };
  }
}
