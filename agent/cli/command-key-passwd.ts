/** `backstay key passwd`: replaces the password with which the repository was opened. */
import { changePassword } from "../repository/key/key-ring.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { failureLine } from "./error-report.ts";
import { addNewPasswordOptions, findNewPassword, type NewPasswordOptions } from "./new-password.ts";
import { withRepository } from "./repository-session.ts";

export const keyPasswdCommand: CliCommand<NewPasswordOptions> = {
  worksUnread: true,

  define(command) {
    addNewPasswordOptions(command);
    addExamples(command, ["backstay key passwd"]);
  },

  async run(invocation) {
    const { screen, signal, globals } = invocation;
    return await withRepository(invocation, { lock: "exclusive" }, async (repository) => {
      const { store, masterKey, key } = repository;
      const password = await findNewPassword(invocation, repository);
      const old = { master: masterKey, info: key };
      const { id, oldKeyProblem } = await changePassword(store, old, password, signal);
      if (oldKeyProblem !== undefined) {
        screen.note(`The new password works, but key ${key.id} with the old one is still there:`);
        screen.note(failureLine(oldKeyProblem));
        return exitCodes.failed;
      }
      if (globals.json)
        screen.line(JSON.stringify({ message_type: "key_replaced", id, removed: key.id }));
      else if (!globals.quiet) screen.line(`saved new key as ${id}, removed ${key.id}`);
      return exitCodes.done;
    });
  },
};
