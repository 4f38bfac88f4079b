/** Checks what a server has signed for a machine of the swarm, with the agent's own rules. */
import { type BundleFloors, noFloors } from "../../agent/control/bundle-floors.ts";
import type { BundleInForce } from "../../agent/control/bundle-in-force.ts";
import type { BundleReader } from "../../agent/control/bundle-reader.ts";
import { verifyBundle } from "../../agent/control/verify-bundle.ts";
import { type CommandDocument, commandDocument } from "../../protocol/control/command.ts";
import { verifyDocument } from "../../protocol/control/signed-document.ts";

export class SwarmTrust {
  readonly #reader: BundleReader;
  #floors: BundleFloors = noFloors;
  #bundle: BundleInForce | undefined;

  constructor(reader: BundleReader) {
    this.#reader = reader;
  }

  /** In force from now on. Throws if it may not be used. */
  accept(jws: string): BundleInForce {
    const { bundle, floors } = verifyBundle(jws, this.#reader, this.#floors);
    this.#floors = floors;
    this.#bundle = bundle;
    return bundle;
  }

  /** Throws if it may not be done; before the first bundle there is nobody who may give commands. */
  command(jws: string): CommandDocument {
    const keys = this.#bundle?.trust.roles.policy ?? [];
    const command = verifyDocument(jws, { type: "command", schema: commandDocument, keys });
    if (command.agentId !== this.#reader.agentId) throw new Error("a command for another machine");
    return command;
  }
}
