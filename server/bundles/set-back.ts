/**
 * What a server does whose database was set back to an earlier day. Machines then have had bundles that it knows nothing
 * of, and refuse who may sign and where data goes if that is older than what they have had: for ever, if it stayed so.
 * Both are signed anew above all that was lost, which the clock is above of.
 */
import type { ServerGround } from "../ground/server-ground.ts";
import { Repositories } from "./repositories.ts";
import type { SigningKeys } from "./signing-keys.ts";

export class SetBack {
  readonly #ground: ServerGround;
  readonly #keys: SigningKeys;
  #rising: Promise<void> | undefined;

  constructor(ground: ServerGround, keys: SigningKeys) {
    this.#ground = ground;
    this.#keys = keys;
  }

  /**
   * A machine says that it has accepted a bundle that is newer than any that is known here. The first who says so is
   * believed, once in the life of this process: a database is set back while no server runs, and one machine that lies
   * must not keep all the others busy. All who say so wait until it is done.
   */
  async heard(): Promise<void> {
    this.#rising ??= this.#rise();
    try {
      await this.#rising;
    } catch (error) {
      this.#rising = undefined;
      throw error;
    }
  }

  async #rise(): Promise<void> {
    this.#ground.log.warning(
      "A machine has had a newer bundle than this database knows: the database is an earlier one. Trust and destinations are signed anew.",
    );
    await this.#keys.renewTrust("server");
    await new Repositories(this.#ground, this.#keys).refresh("server", { isAnew: true });
  }
}
