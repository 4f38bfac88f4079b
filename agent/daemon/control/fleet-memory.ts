/**
 * What the state holds of a fleet, and for which machine of it. A state that came from another machine or another time (an
 * image, a fleet that was left while the daemon did not run) must not speak for this one.
 */
import type { BundleCopy } from "../../control/bundle-copy.ts";
import type { DaemonCore } from "../daemon-core.ts";
import { accountsFact } from "./issued-accounts.ts";
import { depositsFact } from "./recovery-deposits.ts";

/** When the server was heard of last, ms since 1970. */
export const contactFact = "server-contact";
const agentFact = "fleet-agent";

type Core = Pick<DaemonCore, "state">;

/** Notes as whom this machine belongs to a fleet, and forgets what is another's. */
export async function belongTo(agentId: string, core: Core, copy: BundleCopy): Promise<void> {
  const { facts } = core.state;
  const before = facts.get(agentFact);
  if (before === agentId) return;
  // A state that is new knows nobody; then the copy of the bundle is this machine's.
  if (before !== undefined) await forgetFleet(core, copy);
  facts.put(agentFact, agentId);
}

/** Forgets what a server has ordered, and what it has not heard yet. Does nothing if there is nothing. */
export async function forgetFleet({ state }: Core, copy: BundleCopy): Promise<void> {
  const { facts, reports, commands, bundles } = state;
  await copy.remove();
  if (facts.get(agentFact) === undefined) return;
  bundles.clear();
  reports.clear();
  for (const command of [...commands.unfinished(), ...commands.untold()]) {
    const progress = { ...command.progress, state: "canceled", text: "The machine left." } as const;
    commands.put({ ...command, progress, isTold: true });
  }
  for (const name of [contactFact, depositsFact, accountsFact, agentFact]) facts.remove(name);
}
