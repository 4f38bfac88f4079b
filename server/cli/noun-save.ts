/** `backstay-server save`: a copy of the server to restore it from, made on its own machine while it runs. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { saveServer } from "../serve/save-server.ts";
import { textOf } from "./option-values.ts";
import type { Verb } from "./verb.ts";

export const saveVerb: Verb = {
  name: "save",
  summary: "copy the server's database and master key, also while it runs",
  isLocal: true,
  examples: ["backstay-server save --data /var/lib/backstay-server --to /backup/server-today"],
  define: (command) => {
    command
      .option("--data <folder>", "data of the server on this machine ($BACKSTAY_SERVER_DATA)")
      .requiredOption("--to <folder>", "folder for the copy, new or empty")
      .option("--json", "machine-readable output");
  },
  run: async ({ options, environment }) => {
    const from = textOf(options["data"]) ?? environment["BACKSTAY_SERVER_DATA"];
    const to = textOf(options["to"]);
    if (from === undefined || to === undefined)
      throw new BackstayError("USAGE", { command: "save", problem: "--data is missing" });
    const { hasMasterKey } = await saveServer(from, to);
    const key = hasMasterKey
      ? "It holds the master key: whoever has the copy is the server."
      : "The master key is not in it: copy its file too, and keep it elsewhere.";
    return {
      json: { to, hasMasterKey },
      lines: [`The server is in ${to}. ${key}`, "What its gateway stores is not in it."],
    };
  },
};
