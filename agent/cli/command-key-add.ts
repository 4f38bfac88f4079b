/** `backstay key add`: adds a password to the repository. */
import { addKey } from "../repository/key/key-ring.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { addNewPasswordOptions, findNewPassword, type NewPasswordOptions } from "./new-password.ts";
import { withRepository } from "./repository-session.ts";

export const keyAddCommand: CliCommand<NewPasswordOptions> = {
  worksUnread: true,

  define(command) {
    addNewPasswordOptions(command);
    addExamples(command, ["backstay key add --new-password-file /etc/backstay/recovery"]);
  },

  async run(invocation) {
    const { screen, signal, globals } = invocation;
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const password = await findNewPassword(invocation, repository);
      const id = await addKey(repository.store, repository.masterKey, password, signal);
      if (globals.json) screen.line(JSON.stringify({ message_type: "key_added", id }));
      else if (!globals.quiet) screen.line(`saved new key with ID ${id}`);
      return exitCodes.done;
    });
  },
};
