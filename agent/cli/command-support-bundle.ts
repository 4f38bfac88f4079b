/** `backstay support-bundle`: one file with what somebody needs who is to help, and nothing that they should not see. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { tarEnd, tarHeader, tarPadding, tarType } from "../tar/tar-header.ts";
import { type BundleEntry, bundleEntries } from "./bundle-entries.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { printedName } from "./printed-text.ts";
import { formatBytesShort } from "./quantities.ts";

interface BundleOptions {
  readonly yes?: boolean;
}

export const supportBundleCommand: CliCommand<BundleOptions> = {
  define(command) {
    command
      .argument("[file]", "file to write; backstay-support-DATE.tar.gz in this folder if absent")
      .option("-y, --yes", "write it; without this its contents are only listed");
    addExamples(command, [
      "backstay support-bundle",
      "backstay support-bundle --yes /tmp/help.tar.gz",
    ]);
    command.addHelpText(
      "after",
      "\nSecrets and the names of backed up files are left out. Look at it with `tar -xzOf FILE`.",
    );
  },

  async run(invocation) {
    const { operands, options, screen, globals } = invocation;
    const now = new Date();
    const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
    const name = `backstay-support-${stamp}`;
    const file = path.resolve(operands[0] ?? `${name}.tar.gz`);
    const entries = await bundleEntries(invocation);
    const isWritten = options.yes === true;
    if (isWritten) writeBundle(file, name, entries, Math.floor(now.getTime() / 1000));
    if (globals.json) {
      const contents = entries.map(({ name: entry, content }) => ({
        name: entry,
        size: content.length,
      }));
      const message = { message_type: "support_bundle", file, written: isWritten, contents };
      screen.line(JSON.stringify(message));
      return exitCodes.done;
    }
    for (const { name: entry, content, about } of entries)
      screen.line(`${formatBytesShort(content.length).padStart(10)}  ${entry.padEnd(22)}${about}`);
    screen.line(
      isWritten
        ? `written to ${printedName(file)}`
        : `nothing is written yet: add --yes to write ${printedName(file)}`,
    );
    return exitCodes.done;
  },
};

/** Makes the file, for its owner only. OUTPUT_UNWRITABLE, also if it exists. */
function writeBundle(
  file: string,
  folder: string,
  entries: readonly BundleEntry[],
  seconds: number,
): void {
  const bytes = gzipSync(
    Buffer.concat([...entries.flatMap((entry) => tarOf(folder, entry, seconds)), tarEnd()]),
  );
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "wx", 0o600);
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if (descriptor !== undefined) {
      closeSync(descriptor);
      unlinkSync(file);
    }
    const problem = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BackstayError("OUTPUT_UNWRITABLE", { file, problem }, error);
  }
}

function tarOf(folder: string, { name, content }: BundleEntry, seconds: number): Uint8Array[] {
  const header = tarHeader({
    type: tarType.file,
    path: Buffer.from(`${folder}/${name}`),
    permissions: 0o600,
    uid: 0,
    gid: 0,
    user: "root",
    group: "root",
    size: content.length,
    mtime: { seconds, nanoseconds: 0 },
    linkPath: new Uint8Array(),
    device: 0n,
    attributes: [],
  });
  return [header, content, tarPadding(content.length)];
}
