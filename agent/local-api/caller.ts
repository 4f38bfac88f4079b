/** What somebody who connected may do. Pure. */
import type { Peer } from "../../platform/ports/peer-identity.ts";

export interface Caller {
  /** True for root, for the user whose daemon it is, and for administrators; all others may look at the status. */
  readonly mayControl: boolean;
  /** For people: `root`, `user 1000`. */
  readonly text: string;
}

/** `ownUid` is the user that the daemon runs as. */
export function callerOf(peer: Peer, ownUid: number): Caller {
  switch (peer.kind) {
    case "user":
      return {
        mayControl: peer.uid === 0 || peer.uid === ownUid,
        text: peer.uid === 0 ? "root" : `user ${peer.uid}`,
      };
    case "administrator":
      return { mayControl: true, text: "an administrator" };
    case "unknown":
      return { mayControl: false, text: "an unknown user" };
  }
}
