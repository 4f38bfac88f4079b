/** Looks at all key files: one that is damaged locks out whoever has only its password. */
import { listKeys } from "../../repository/key/key-ring.ts";
import type { CheckContext } from "../check-context.ts";

/** Reports each key file that can't be used as `key-damaged`; resolves with the number of files looked at. */
export async function checkKeys(context: CheckContext): Promise<number> {
  const keys = await listKeys(context.store, context.signal);
  for (const { id, problem } of keys)
    if (problem !== undefined) context.problems.add("key-damaged", { type: "key", id }, [problem]);
  return keys.length;
}
