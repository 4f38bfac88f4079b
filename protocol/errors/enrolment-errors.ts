/** Failures by code: a machine's membership in a fleet, its identity, and its link to the server. */
import type { ErrorSpec } from "./error-spec.ts";

export const enrolmentErrors = {
  ENROLMENT_TOKEN_INVALID: {
    kind: "permanent",
    exitCode: 1,
    title: "This is no enrolment token that can be used.",
    remedy:
      "Copy the whole token again, from `bk1_` to its end, or have a new one made with `backstay-server token create`.",
  },
  ENROLMENT_WAITING: {
    kind: "temporary",
    exitCode: 1,
    title: "The enrolment still waits for an administrator to approve it.",
    remedy:
      "Approve it on the server, then give the same command again: it goes on where it is now.",
  },
  ENROLLED_ALREADY: {
    kind: "permanent",
    exitCode: 1,
    title: "This machine is enrolled already.",
    remedy:
      "Nothing needs to be done. To move it to another server, give `backstay leave` first; backups and history stay.",
  },
  NOT_ENROLLED: {
    kind: "permanent",
    exitCode: 1,
    title: "This machine is not enrolled with a management server.",
    remedy: "Enrol it with `backstay enroll` and a token of the server.",
  },
  IDENTITY_DAMAGED: {
    kind: "permanent",
    exitCode: 1,
    title: "The machine's identity cannot be read, and its copy cannot either.",
    remedy:
      "Enrol the machine again with a voucher for it (`backstay-server token create --agent NAME`): it keeps its repository and history. Backups by policies that are in force go on.",
  },
  IDENTITY_OF_OTHER_MACHINE: {
    kind: "permanent",
    exitCode: 1,
    title: "The identity kept here belongs to another machine, of which this seems to be a copy.",
    remedy:
      "Nothing needs doing while the daemon runs: it asks the server which of the two this is. A copy gets an identity of its own; a machine that was only rebuilt keeps this one after a quarter of an hour.",
  },
  AGENT_REFUSED: {
    kind: "temporary",
    exitCode: 1,
    title: "The management server refuses the request of this machine.",
    remedy:
      "Its reason is named here; look the machine up on the server. What is in force on the machine goes on meanwhile.",
  },
  LINK_FAILED: {
    kind: "temporary",
    exitCode: 1,
    title: "The management server cannot be reached, or something else answers in its place.",
    remedy:
      "Check the address, the network, and proxies. What is in force on the machine goes on meanwhile; it is tried again by itself.",
  },
  LINK_UNTRUSTED: {
    kind: "temporary",
    exitCode: 1,
    title: "What answers for the management server is not trusted: its certificate is another one.",
    remedy:
      "If the server's certificate was changed, enrol again with a new token, which carries its pin. If not, somebody may be in between.",
  },
} as const satisfies Record<string, ErrorSpec>;
