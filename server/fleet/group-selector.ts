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
