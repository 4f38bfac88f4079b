/** `backstay key remove`: removes a password from the repository. */
import { findKeyId, removeKey } from "../repository/key/key-ring.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { withRepository } from "./repository-session.ts";

export const keyRemoveCommand: CliCommand = {
  worksUnread: true,

  define(command) {
    command.argument("<id>", "id of the key, or its first digits (`backstay key list`)");
    addExamples(command, ["backstay key remove 80918136"]);
  },

  async run(invocation) {
    const { operands, screen, signal, globals } = invocation;
    return await withRepository(invocation, { lock: "exclusive" }, async (repository) => {
      const { store, key } = repository;
      const id = await findKeyId(store, operands[0], signal);
      await removeKey(store, id, { ownKeyId: key.id, signal });
      if (globals.json) screen.line(JSON.stringify({ message_type: "key_removed", id }));
      else if (!globals.quiet) screen.line(`removed key ${id}`);
      return exitCodes.done;
    });
  },
};
