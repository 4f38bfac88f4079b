/** Text from file systems and repositories, made safe to show: no control characters, nothing that is not UTF-8. */
import { decodeRune, invalidRune, isUtf8, utf8Bytes, utf8Text } from "../repository/json/utf8.ts";
import { quoteName } from "../repository/tree/go-quote.ts";
import { isPrintable } from "../repository/tree/printable.ts";

const plainForm = /^[\x20-\x7e]*$/;

/** A name or path as it is if all of it can be shown, otherwise in double quotes with escapes. */
export function printedName(name: Uint8Array | string): string {
  const bytes = typeof name === "string" ? utf8Bytes(name) : name;
  return isShowable(bytes) ? utf8Text(bytes) : `"${utf8Text(quoteName(bytes))}"`;
}

/** A message with every character that can't be shown replaced by an escape; line feeds too. */
export function printedMessage(text: string): string {
  if (plainForm.test(text)) return text;
  let shown = "";
  for (const character of text.toWellFormed()) {
    const point = character.codePointAt(0) ?? 0;
    if (isPrintable(point)) shown += character;
    else if (point === 0x0a) shown += "\\n";
    else if (point < 0x100) shown += `\\x${point.toString(16).padStart(2, "0")}`;
    else shown += `\\u{${point.toString(16)}}`;
  }
  return shown;
}

function isShowable(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  for (let at = 0; at < bytes.length; ) {
    const rune = decodeRune(bytes, at, bytes.length);
    if (rune === invalidRune || !isPrintable(rune >>> 3)) return false;
    at += rune & 7;
  }
  return true;
}
