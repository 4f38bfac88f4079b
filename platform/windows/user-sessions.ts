/** The sessions of people on a Windows machine, as they are now. */
import type { UserSession } from "../node/session-list.ts";
import { type SessionCalls, sessionCalls } from "./wtsapi32.ts";

const sessionFlagsOffset = 16;
const locked = 0;
const unlocked = 1;

/** Sessions without a user (the services, the logon screen) are left out. Throws if Windows refuses. */
export function listUserSessions(calls: SessionCalls = sessionCalls): readonly UserSession[] {
  return calls.sessions().flatMap((session) => {
    const user = calls.userOf(session) ?? "";
    if (user === "") return [];
    const info = calls.infoOf(session);
    return [{ session: String(session), user, isLocked: isLockedOf(info) }];
  });
}

/** What WTSINFOEXW says; undefined if it says nothing. */
export function isLockedOf(info: Uint8Array | undefined): boolean | undefined {
  if (info === undefined) return undefined;
  const view = new DataView(info.buffer, info.byteOffset, info.length);
  // Level 0 means that nothing follows.
  if (view.getUint32(0, true) !== 1) return undefined;
  const flags = view.getInt32(sessionFlagsOffset, true);
  if (flags === locked) return true;
  return flags === unlocked ? false : undefined;
}
