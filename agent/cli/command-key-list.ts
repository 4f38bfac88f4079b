/** `backstay key list`: lists the keys of the repository, one a password. */
import { listKeys } from "../repository/key/key-ring.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { printedName } from "./printed-text.ts";
import { formatLocalTime } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";
import { tableLines } from "./text-table.ts";

export const keyListCommand: CliCommand = {
  define(command) {
    addExamples(command, ["backstay key list"]);
  },

  async run(invocation) {
    const { screen, signal, globals } = invocation;
    return await withRepository(invocation, { lock: "shared" }, async (repository) => {
      const listed = await listKeys(repository.store, signal);
      for (const { id, problem } of listed)
        if (problem !== undefined) screen.note(`key ${id.slice(0, 8)} can't be used: ${problem}`);
      const keys = listed.map((key) => ({
        current: key.id === repository.key.id,
        id: key.id,
        userName: key.userName,
        hostName: key.hostName,
        created: shownTime(key.created),
      }));
      if (globals.json) {
        screen.line(JSON.stringify(keys));
        return exitCodes.done;
      }
      const rows = keys.map(({ current, id, userName, hostName, created }) => [
        [`${current ? "*" : " "}${id.slice(0, 8)}`],
        [printedName(userName)],
        [printedName(hostName)],
        [printedName(created)],
      ]);
      const titles = [" ID", "User", "Host", "Created"].map((title) => ({ title }));
      for (const line of tableLines(titles, rows)) screen.line(line);
      return exitCodes.done;
    });
  },
};

/** Local time, as restic shows it; what is no time stays as it is. */
function shownTime(text: string): string {
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? text : formatLocalTime(Math.floor(timeMs / 1000));
}
