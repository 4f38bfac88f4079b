/** Who is logged on to the screen of a Mac, of what `ioreg -n Root -d1 -a` prints. */
import type { UserSession } from "../node/session-list.ts";
import { dictionariesOf, parseDictionary } from "./property-list.ts";

/** Undefined if it is no such output. People who have not finished logging on, and the logon screen, are left out. */
export function decodeConsoleUsers(output: string): readonly UserSession[] | undefined {
  const root = parseDictionary(output);
  if (root === undefined) return undefined;
  return dictionariesOf(root.get("IOConsoleUsers")).flatMap((each) => {
    const user = each.get("kCGSSessionUserNameKey");
    const session = each.get("kCGSSessionIDKey") ?? each.get("kSCSecuritySessionID");
    if (typeof user !== "string" || user === "" || user === "loginwindow") return [];
    if (each.get("kCGSessionLoginDoneKey") === false || typeof session !== "number") return [];
    // The key is there only while the screen is locked.
    const isLocked = each.get("CGSSessionScreenIsLocked") === true;
    return [{ session: String(session), user, isLocked }];
  });
}
