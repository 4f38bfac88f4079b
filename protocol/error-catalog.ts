/**
 * Every failure that Backstay can report, by code. Codes are never renamed and never reused.
 * `docs/errors.md` describes each; a test compares both in both directions.
 */
import { commandErrors } from "./errors/command-errors.ts";
import { daemonErrors } from "./errors/daemon-errors.ts";
import { documentErrors } from "./errors/document-errors.ts";
import { enrolmentErrors } from "./errors/enrolment-errors.ts";
import type { ErrorSpec } from "./errors/error-spec.ts";
import { licenceErrors } from "./errors/licence-errors.ts";
import { machineErrors } from "./errors/machine-errors.ts";
import { managementErrors } from "./errors/management-errors.ts";
import { policyErrors } from "./errors/policy-errors.ts";
import { remoteErrors } from "./errors/remote-errors.ts";
import { repositoryErrors } from "./errors/repository-errors.ts";
import { secretErrors } from "./errors/secret-errors.ts";
import { serverErrors } from "./errors/server-errors.ts";
import { sessionErrors } from "./errors/session-errors.ts";
import { sourceAndTargetErrors } from "./errors/source-and-target-errors.ts";
import { storageErrors } from "./errors/storage-errors.ts";
import { syncErrors } from "./errors/sync-errors.ts";

export const errorCatalog = {
  ...commandErrors,
  ...storageErrors,
  ...repositoryErrors,
  ...sourceAndTargetErrors,
  ...daemonErrors,
  ...policyErrors,
  ...secretErrors,
  ...sessionErrors,
  ...machineErrors,
  ...managementErrors,
  ...documentErrors,
  ...licenceErrors,
  ...serverErrors,
  ...enrolmentErrors,
  ...remoteErrors,
  ...syncErrors,
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof errorCatalog;
