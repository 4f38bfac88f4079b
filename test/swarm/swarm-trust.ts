/** Checks what a server has signed for a machine of the swarm, with the agent's own rules. */
import { type BundleFloors, noFloors } from "../../agent/control/bundle-floors.ts";
import type { BundleInForce } from "../../agent/control/bundle-in-force.ts";
import type { BundleReader } from "../../agent/control/bundle-reader.ts";
import { verifyBundle } from "../../agent/control/verify-bundle.ts";
import { type CommandDocument, commandDocument } from "../../protocol/control/command.ts";
import { verifyDocument } from "../../protocol/control/signed-document.ts";

/** Where a played machine has its server's bundle. */
export interface SwarmBundles {
  /** Undefined before the first. */
  readonly inForce: BundleInForce | undefined;
  /** In force from now on. Rejects with the reason if it may not be used. */
  accept(jws: string): Promise<BundleInForce>;
}

/** The newest bundle, remembered until the process ends. */
export class SwarmTrust implements SwarmBundles {
  readonly #reader: BundleReader;
  #floors: BundleFloors = noFloors;
  #bundle: BundleInForce | undefined;

  constructor(reader: BundleReader) {
    this.#reader = reader;
  }

  get inForce(): BundleInForce | undefined {
    return this.#bundle;
  }

  async accept(jws: string): Promise<BundleInForce> {
    const { bundle, floors } = verifyBundle(jws, this.#reader, this.#floors);
    this.#floors = floors;
    this.#bundle = bundle;
    return bundle;
  }

  /** As `verifiedCommand`, by the newest bundle. */
  command(jws: string): CommandDocument {
    return verifiedCommand(jws, this.#bundle, this.#reader.agentId);
  }
}

/** Throws if it may not be done; before the first bundle there is nobody who may give commands. */
export function verifiedCommand(
  jws: string,
  bundle: BundleInForce | undefined,
  agentId: string,
): CommandDocument {
  const keys = bundle?.trust.roles.policy ?? [];
  const command = verifyDocument(jws, { type: "command", schema: commandDocument, keys });
  if (command.agentId !== agentId) throw new Error("a command for another machine");
  return command;
}
