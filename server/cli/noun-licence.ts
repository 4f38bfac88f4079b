/** `backstay-server licence`: it keeps new machines out at most; it stops no backup and no restore. */
import type { LicenceAnswer } from "../../protocol/management/licences.ts";
import { offlineLicenceVerbs } from "./offline-verbs.ts";
import { fileText } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import { operand, said } from "./resource-verbs.ts";
import { factLines } from "./text-table.ts";
import type { Verb } from "./verb.ts";

const path = "/api/v1/licence";

function countText({ used, most }: LicenceAnswer["machines"]["server"]): string {
  return most === null ? `${used}, any number allowed` : `${used} of ${most}`;
}

const show: Verb = {
  name: "show",
  summary: "show the licence that counts, and how much of it is used",
  examples: ["backstay-server licence show"],
  run: async ({ client }) => {
    const licence = (await (await client()).get(path)).body as LicenceAnswer;
    const { workstation, server } = licence.machines;
    return {
      json: licence,
      lines: factLines([
        ["Licence", licence.id],
        ["Holder", licence.holder],
        ["Stand", licence.stand],
        [
          "Valid until",
          licence.validUntilMs === null ? "without end" : momentText(licence.validUntilMs),
        ],
        ["Grace after that", `${licence.graceDays} days`],
        ["Workstations", countText(workstation)],
        ["Servers", countText(server)],
      ]),
    };
  },
};

const install: Verb = {
  name: "install",
  summary: "install a licence; it counts from now on",
  examples: ["backstay-server licence install licence.jws"],
  define: (command) => void command.argument("<file>", "the licence as its issuer gave it"),
  run: async (call) => {
    const jws = (await fileText(operand(call))).trim();
    const licence = (await (await call.client()).post(path, { jws })).body as LicenceAnswer;
    return said(licence, `licence ${licence.id} of ${licence.holder}: installed`);
  },
};

export const licenceVerbs: readonly Verb[] = [show, install, ...offlineLicenceVerbs];
