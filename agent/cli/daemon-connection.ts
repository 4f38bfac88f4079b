/** The daemon of this machine, for commands that ask it. */
import { localApiAddress } from "../../platform/local-api-address.ts";
import { LocalClient } from "../local-client/local-client.ts";
import type { Environment } from "./environment.ts";

/** A client of the daemon that the environment names; nothing is sent yet. DAEMON_PLACE. */
export function daemonClient(environment: Environment): LocalClient {
  return new LocalClient(localApiAddress(environment));
}
