/** Secrets reach a command through files and standard input, never through its arguments, which everybody can see. */
import { readFile } from "node:fs/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";

/** No secret is larger. */
export const secretBytesMax = 64 * 1024;

/** The content of a file without the line break at its end. USAGE if it can't be read, is empty or too large. */
export async function secretFromFile(file: string): Promise<Uint8Array> {
  try {
    return withoutLineBreak(await readFile(file), file);
  } catch (error) {
    if (error instanceof BackstayError) throw error;
    const problem = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new BackstayError("USAGE", { file, problem }, error);
  }
}

/** All of standard input without the line break at its end; asks for it if people type there. */
export async function secretFromInput(
  input: NodeJS.ReadableStream,
  note: (line: string) => void,
): Promise<Uint8Array> {
  if ("isTTY" in input && input.isTTY === true)
    note("Type the secret, then Enter and Ctrl-D. It is shown as you type; --file FILE hides it.");
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of input) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    parts.push(bytes);
    sizeBytes += bytes.length;
    if (sizeBytes > secretBytesMax + 2) break;
  }
  return withoutLineBreak(Buffer.concat(parts), "standard input");
}

function withoutLineBreak(bytes: Uint8Array, origin: string): Uint8Array {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end -= 1;
  if (bytes[end - 1] === 0x0d) end -= 1;
  if (end === 0)
    throw new BackstayError("USAGE", { in: origin, problem: "there is no secret in it" });
  if (end > secretBytesMax)
    throw new BackstayError("USAGE", {
      in: origin,
      problem: `it is larger than ${secretBytesMax} bytes`,
    });
  return bytes.subarray(0, end);
}
