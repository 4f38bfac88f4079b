/** `backstay init`: creates a repository. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { Repository } from "../repository/repository.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { addNewObjectOptions, type NewObjectOptions, newObjectsOf } from "./new-object-options.ts";
import { findPassword } from "./password-source.ts";
import { openNamedStore } from "./repository-session.ts";

export const initCommand: CliCommand<NewObjectOptions> = {
  worksUnread: true,

  define(command) {
    addNewObjectOptions(command);
    addExamples(command, [
      "backstay init --repo /mnt/disk/backup",
      "backstay init --repo /mnt/disk/backup --password-file /etc/backstay/password",
    ]);
  },

  async run(invocation) {
    const { globals, environment, screen, signal, options } = invocation;
    const store = await openNamedStore(invocation, { newObjects: newObjectsOf(options) });
    try {
      if ((await store.stat({ type: "config", name: "" }, signal)) !== undefined)
        throw new BackstayError("REPOSITORY_EXISTS", {
          repository: store.location,
          found: "config",
        });
      const password = await findPassword({
        options: globals.password,
        environment,
        screen,
        signal,
        question: `new password for ${store.location}`,
        twice: true,
      });
      const { cacheRoot } = globals;
      const repository = await Repository.init(store, { password, cacheRoot, signal });
      if (globals.json) {
        const { id } = repository;
        const message = { message_type: "initialized", id, repository: store.location };
        screen.line(JSON.stringify(message));
      } else if (!globals.quiet) {
        screen.line(`created repository ${repository.id.slice(0, 10)} at ${store.location}`);
        screen.line();
        screen.line("Keep the password safe: without it nobody can read the repository, and");
        screen.line("nobody can help. `backstay key add` gives it a second one.");
      }
      return exitCodes.done;
    } finally {
      await store.close();
    }
  },
};
