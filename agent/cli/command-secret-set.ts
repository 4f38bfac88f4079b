/** `backstay secret set`: keeps a password or key on this machine, under the name that policies use for it. */
import { isatty, type ReadStream } from "node:tty";
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { type SecretProtection, secretLimits } from "../../platform/ports/secret-keeper.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { askPassword } from "./password-prompt.ts";
import { secretBytes } from "./secret-text.ts";
import { readAtMost } from "./standard-input.ts";

const protectionText: Readonly<Record<SecretProtection, string>> = {
  "systemd-creds": "sealed by systemd for this machine alone",
  dpapi: "sealed by Windows for this machine alone",
  keychain: "in the system's keychain",
  file: "in a file that only the administrator may read, not sealed: who copies the disk has it",
};

export const secretSetCommand: CliCommand = {
  worksUnread: true,

  define(command) {
    command.argument("<name>", "as policies name it: { secret: NAME }");
    addExamples(command, [
      "backstay secret set documents-repository",
      "backstay secret set storage-account < key.json",
    ]);
    command.addHelpText(
      "after",
      "\nThe value is asked for, or read from standard input to its end; white space around it is dropped." +
        "\nIt is no argument: other users of a machine see those.",
    );
  },

  async run(invocation) {
    const [name] = invocation.operands;
    const { environment, screen, globals } = invocation;
    const keeper = await openSecretKeeper(stateDirectory(environment));
    // Before anything is typed for nothing.
    const isNew = !(await keeper.names()).includes(name);
    await keeper.write(name, await givenValue(invocation, name));
    const { protection, machineBound } = keeper;
    if (globals.json)
      screen.line(
        JSON.stringify({
          message_type: "secret_set",
          name,
          is_new: isNew,
          protection,
          machine_bound: machineBound,
        }),
      );
    else if (!globals.quiet)
      screen.line(`${name}: ${isNew ? "stored" : "replaced"}, ${protectionText[protection]}`);
    return exitCodes.done;
  },
};

async function givenValue({ screen, signal }: Invocation, name: string): Promise<Uint8Array> {
  if (!isatty(0)) {
    const content = await readAtMost(process.stdin, secretLimits.bytesMax * 2, signal);
    return secretBytes(content, "standard input");
  }
  const terminal = process.stdin as ReadStream;
  const first = await askPassword(terminal, screen, `value of ${name}: `, signal);
  if (first.length === 0)
    throw new BackstayError("SECRET_INVALID", { name, problem: "it is empty" });
  const second = await askPassword(terminal, screen, `value of ${name}, once more: `, signal);
  if (Buffer.compare(first, second) !== 0)
    throw new BackstayError("USAGE", { problem: "the two values differ" });
  return first;
}
