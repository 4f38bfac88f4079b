/** The secrets that a policy names. */
import type { Policy } from "./policy.ts";

/** Their names, each once. */
export function secretReferences(policy: Policy): string[] {
  const { encryption, destination, notifications } = policy;
  const references = [
    encryption.password,
    destination.credentials,
    notifications.mail?.password,
    notifications.webhook?.key,
  ];
  return [...new Set(references.flatMap((each) => (each === undefined ? [] : [each.secret])))];
}
