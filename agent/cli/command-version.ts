/** `backstay version`. */

import { systemName } from "../../platform/system-name.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { type CliCommand, exitCodes } from "./command.ts";

export const versionCommand: CliCommand = {
  define: () => undefined,
  async run({ globals, screen }) {
    const { system, processor } = systemName();
    const node = process.versions.node;
    if (globals.json)
      screen.line(
        JSON.stringify({
          message_type: "version",
          version: programVersion,
          node_version: node,
          os: system,
          arch: processor,
        }),
      );
    else screen.line(`backstay ${programVersion} on Node ${node}, ${system} ${processor}`);
    return exitCodes.done;
  },
};
