/** What `dscl -plist . -readall /Users …` says of accounts. */
import { dictionariesOf, type PropertyDictionary, parsePropertyList } from "./property-list.ts";

export interface DirectoryAccount {
  readonly name: string;
  readonly id: string;
  readonly home: string;
}

/** The first id that macOS gives to people. */
const firstId = 501;
const nobodysHome = /^\/(?:var|private\/var|Library|System|dev)(?:\/|$)/;

/** Accounts of people; those of services have small or hidden ids, or a home of the system. Undefined if it is no such output. */
export function decodeAccounts(output: string): readonly DirectoryAccount[] | undefined {
  const records = parseList(output);
  return records?.flatMap((record) => {
    const name = first(record, "RecordName");
    const id = first(record, "UniqueID");
    const home = first(record, "NFSHomeDirectory");
    if (name === undefined || id === undefined || home === undefined) return [];
    const isPerson = Number(id) >= firstId && !name.startsWith("_") && name !== "nobody";
    return isPerson && home.startsWith("/") && !nobodysHome.test(home) ? [{ name, id, home }] : [];
  });
}

function parseList(output: string): readonly PropertyDictionary[] | undefined {
  try {
    const value = parsePropertyList(output);
    return Array.isArray(value) ? dictionariesOf(value) : undefined;
  } catch {
    return undefined;
  }
}

function first(record: PropertyDictionary, name: string): string | undefined {
  const values = record.get(`dsAttrTypeStandard:${name}`);
  const value: unknown = Array.isArray(values) ? values[0] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}
