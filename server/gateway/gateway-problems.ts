/** What the gateway refuses, by reason. restic tells people the status only, so it must be the one that restic acts on. */
import { Problem } from "../http/problem.ts";

const refusals = {
  "gateway-account": [401, "The account or its password is not right for this address."],
  "gateway-suspended": [403, "This machine is suspended."],
  "gateway-revoked": [403, "This machine has been revoked."],
  "gateway-lease": [
    403,
    "The lease has ended: nothing is stored any more, and everything can be read.",
  ],
  "gateway-append-only": [403, "Nothing but locks can be removed through the gateway."],
  "gateway-name-taken": [403, "There is already a file of this name with other content."],
  "gateway-address": [404, "There is no such address in a repository."],
  "gateway-absent": [404, "There is no such file."],
  "gateway-not-created": [404, "There is no repository yet: it must be created first."],
  "gateway-method": [405, "This can't be done with this address."],
  "gateway-no-length": [411, "The length of the content must be given."],
  "gateway-too-large": [413, "A file of this type may not be so large."],
  "gateway-range": [416, "The file ends before the range."],
  "gateway-hash": [400, "The content is not that of the name: its SHA-256 is another."],
  "gateway-lock-form": [400, "This is no lock that a file can have."],
  "gateway-cut": [400, "The content ended too early."],
  "gateway-locks": [501, "Files of this repository can't be locked through the gateway."],
  "gateway-busy": [503, "Too many requests are under way."],
  "gateway-under-way": [503, "The same file is being stored or removed at this moment."],
  "gateway-elsewhere": [503, "The repositories are not at this server."],
  "gateway-storage": [503, "The storage behind the gateway can't be used at the moment."],
  "gateway-machine-quota": [507, "The quota of this machine in this repository is used up."],
  "gateway-tenant-quota": [507, "The quota of the tenant is used up."],
  "gateway-disk-full": [507, "The storage behind the gateway is full."],
} as const satisfies Record<string, readonly [number, string]>;

export type RefusalReason = keyof typeof refusals;

/** To be thrown. `detail` is for people and holds no secret. */
export function refusal(
  reason: RefusalReason,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
): Problem {
  const [status, title] = refusals[reason];
  return new Problem({ status, code: reason, title, detail, headers });
}
