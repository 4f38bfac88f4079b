/** The machine's place in a fleet without the daemon: read and changed in the folder of its state. */
import { openClock } from "../../platform/open-clock.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { EnrolAnswer } from "../../protocol/local-api/orders.ts";
import { enroll, forgetIdentity, prepareImage, waitingText } from "../control/enrolment.ts";
import { machineFacts } from "../control/machine-facts.ts";
import { identityParts } from "../control/machine-identity.ts";
import type { Environment } from "./environment.ts";

const patienceMs = 30 * 86_400_000;

interface Patience {
  /** Wait until an administrator has decided. */
  readonly isPatient: boolean;
  /** Told what is waited for, for people. */
  readonly onWaiting: (text: string) => void;
  readonly signal: AbortSignal;
}

/** As `enroll` of agent/control. What is not decided yet goes on when the daemon starts, or at the next call. */
export async function enrollHere(
  environment: Environment,
  token: string,
  { isPatient, onWaiting, signal }: Patience,
): Promise<EnrolAnswer> {
  const parts = await identityParts(stateDirectory(environment), environment);
  const facts = machineFacts(environment, undefined);
  let text = "";
  const wait = {
    waitMs: isPatient ? patienceMs : 0,
    onWaiting: (...pending: Parameters<typeof waitingText>) => {
      const said = waitingText(...pending);
      if (said !== text && isPatient) onWaiting(said);
      text = said;
    },
    signal,
  };
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
    return { state: "waiting", text };
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
