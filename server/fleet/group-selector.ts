/** Which machines belong to a group, by what is known of them. Pure. */

/** What decides: nothing (members are put in by hand), labels, or a list of names. */
export type GroupSelector =
  | { readonly kind: "static" }
  /** Every label must have the value; `*` stands for any. */
  | { readonly kind: "labels"; readonly labels: Readonly<Record<string, string>> }
  /** Names of hosts, in any case; one without a dot stands for the first part of longer ones too. */
  | { readonly kind: "names"; readonly names: readonly string[] };

export interface GroupedMachine {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** True if the machine belongs to the group by its selector; false where people decide that. */
export function selects(selector: GroupSelector, machine: GroupedMachine): boolean {
  switch (selector.kind) {
    case "static":
      return false;
    case "labels":
      return Object.entries(selector.labels).every(
        ([label, value]) =>
          Object.hasOwn(machine.labels, label) &&
          (value === "*" || machine.labels[label] === value),
      );
    case "names": {
      const name = machine.name.toLowerCase();
      const [host] = name.split(".", 1);
      return selector.names.some((each) => [name, host].includes(each.toLowerCase()));
    }
  }
}

/**
 * The names of a CSV file: the column `name` or `host` if its first line has one, else the first column. Separated by
 * commas, semicolons or tabs; quotes as usual; blank lines and lines that begin with # are left out. Each name once.
 */
export function namesFromCsv(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(cellsOf);
  const title =
    lines.at(0)?.findIndex((cell) => /^(?:host ?)?name$|^host$|^computer$/i.test(cell)) ?? -1;
  const rows = title < 0 ? lines : lines.slice(1);
  const names = rows.map((cells) => cells[Math.max(0, title)] ?? "").filter((name) => name !== "");
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()];
}

function cellsOf(line: string): string[] {
  const cells = line.matchAll(/(?:^|[,;\t])(?:\s*"((?:[^"]|"")*)"\s*(?=[,;\t]|$)|([^,;\t]*))/g);
  return [...cells].map(([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain).trim());
}
