/** The password that `key add` and `key passwd` set: from a file, empty on purpose, or typed twice. */
import type { Command } from "commander";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Repository } from "../repository/repository.ts";
import type { Invocation } from "./command.ts";
import { findPassword } from "./password-source.ts";

export interface NewPasswordOptions {
  readonly newPasswordFile?: string;
  readonly newInsecureNoPassword?: boolean;
}

export function addNewPasswordOptions(command: Command): void {
  command
    .option("--new-password-file <file>", "file that holds the new password")
    .option("--new-insecure-no-password", "set the empty password");
}

/** Rejects as `findPassword`. The variables of the environment are not looked at: they hold the old password. */
export async function findNewPassword(
  invocation: Invocation<NewPasswordOptions>,
  repository: Repository,
): Promise<Uint8Array> {
  const { options, screen, signal } = invocation;
  const none = options.newInsecureNoPassword === true;
  if (none && options.newPasswordFile !== undefined)
    throw new BackstayError("USAGE", {
      problem: "give either --new-password-file or --new-insecure-no-password",
    });
  return await findPassword({
    options: { file: options.newPasswordFile, command: undefined, none },
    environment: {},
    screen,
    signal,
    question: `new password for ${repository.store.location}`,
    twice: true,
  });
}
