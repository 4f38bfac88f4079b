/** The path of a setting inside a policy document. */

/** Names of fields and indices of lists, from the outside in. */
export type SettingPath = readonly (string | number)[];

/** As people read it: `schedule.timers[0].at`. Empty for the document itself. */
export function settingText(path: SettingPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** What a document holds at a path; undefined if there is nothing. */
export function valueAt(document: unknown, path: SettingPath): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return value;
}
