/** Reads names by number from files in the form of /etc/passwd and /etc/group. */
import { readFileSync } from "node:fs";

/** Names by id, the first line of an id winning; empty if the file can't be read. */
export function readAccountFile(path: string): Map<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return names;
  }
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    // Lines that begin with + or - refer to a directory service.
    if (name !== undefined && /^[^+#-]/.test(name) && id !== undefined && /^\d+$/.test(id)) {
      const number = Number(id);
      if (!names.has(number)) {
        names.set(number, name);
      }
    }
  }
  return names;
}
