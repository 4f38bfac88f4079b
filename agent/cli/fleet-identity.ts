/** The machine's place in a fleet without the daemon: read and changed in the folder of its state. */
import { openClock } from "../../platform/open-clock.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { EnrolmentPending } from "../../protocol/control/enrolment.ts";
import type { EnrolAnswer } from "../../protocol/local-api/orders.ts";
import { enroll, forgetIdentity, prepareImage } from "../control/enrolment.ts";
import { machineFacts } from "../control/machine-facts.ts";
import { identityParts } from "../control/machine-identity.ts";
import type { Environment } from "./environment.ts";

/** Between two questions whether an administrator has approved it. */
const waitMsMax = 30 * 86_400_000;

/** As `enroll` of agent/control; `isPatient`: until an administrator has decided. */
export async function enrollHere(
  environment: Environment,
  token: string,
  isPatient: boolean,
  onWaiting: (pending: EnrolmentPending) => void,
  signal: AbortSignal,
): Promise<EnrolAnswer> {
  const parts = await identityParts(stateDirectory(environment), environment);
  const facts = machineFacts(environment, undefined);
  const wait = { waitMs: isPatient ? waitMsMax : 0, onWaiting, signal };
  try {
    const { membership } = await enroll(
      { ...parts, clock: openClock(), environment, facts },
      wait,
      token,
    );
    const { agentId, tenantName } = membership;
    return { state: "enrolled", agentId, tenant: tenantName, text: "" };
  } catch (error) {
    if (!isBackstayError(error, "ENROLMENT_WAITING")) throw error;
    return { state: "waiting", text: error.message };
  }
}

/** Forgets who this machine is, so that copies of it are not taken for each other. SECRET_PLACE. */
export async function prepareImageHere(environment: Environment): Promise<void> {
  await prepareImage(await identityParts(stateDirectory(environment), environment));
}

/** Ends the membership. The daemon forgets the policies of the server at its next start. SECRET_PLACE. */
export async function leaveHere(environment: Environment): Promise<void> {
  await forgetIdentity(await identityParts(stateDirectory(environment), environment));
}
