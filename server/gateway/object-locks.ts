/** What machines ask of locks against removal: only where the storage of their repository may lock for them. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { lockHeader, lockQuestion, lockRuleOf, lockUntilOf } from "../../protocol/gateway-locks.ts";
import type { Handle } from "../../storage/object-store.ts";
import type { RetentionRule } from "../../storage/retention-lock.ts";
import type { GatewayAccount } from "./gateway-accounts.ts";
import type { GatewayLocks, GatewayObjects } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;
type Locked = Pick<GatewayAccount, "place" | "storage"> & { readonly objects: GatewayObjects };

/** True if machines may lock what they store with this account. */
export function mayLock({ storage }: Pick<GatewayAccount, "storage">): boolean {
  return storage?.mayLock === true;
}

/** How a new object is to be locked; undefined: not at all. Throws the Problem to answer with. */
export function ruleOfUpload(headers: Headers, locked: Locked): RetentionRule | undefined {
  const text = headers[lockHeader];
  if (text === undefined) return undefined;
  requireLocks(locked);
  const rule = lockRuleOf(String(text));
  if (rule === undefined) throw refusal("gateway-lock-form");
  return rule;
}

/** True if a request asks until when an object is locked. */
export function isLockQuestion(headers: Headers): boolean {
  return headers[lockHeader] === lockQuestion;
}

/** Undefined: it is not locked. Throws the Problem to answer with, or a BackstayError of the storage. */
export async function lockedUntil(locked: Locked, handle: Handle): Promise<number | undefined> {
  const locks = requireLocks(locked);
  return await orAbsent(async () => await locks.lockedUntil(locked.place, handle));
}

/** Locks an object for longer, as the headers say. Throws as `lockedUntil`. */
export async function extendLock(headers: Headers, locked: Locked, handle: Handle): Promise<void> {
  const locks = requireLocks(locked);
  const lock = lockUntilOf(String(headers[lockHeader]));
  if (lock === undefined || handle.type === "locks") throw refusal("gateway-lock-form");
  await orAbsent(async () => await locks.extend(locked.place, handle, lock));
}

function requireLocks({ storage, objects }: Locked): GatewayLocks {
  if (!mayLock({ storage }) || objects.locks === undefined) throw refusal("gateway-locks");
  return objects.locks;
}

async function orAbsent<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) throw refusal("gateway-absent");
    throw error;
  }
}
