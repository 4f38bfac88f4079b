/** Fields that both encoders of nodes write in the same way. */
import { goStringExpansion, writeGoString } from "../json/go-string.ts";
import { isUtf8, utf8Bytes } from "../json/utf8.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { NodeAttribute } from "./node.ts";

/** Names of owners that need no escapes: nearly all. */
const plainName = /^[\w.$-]+$/;

/** `,"uid":…,"gid":…` and, where they are not empty, the names. */
export function writeOwner(
  out: ByteWriter,
  uid: number,
  gid: number,
  user: string,
  group: string,
): void {
  out.ascii(',"uid":');
  out.decimal(uid);
  out.ascii(',"gid":');
  out.decimal(gid);
  writeName(out, ',"user":"', user);
  writeName(out, ',"group":"', group);
}

function writeName(out: ByteWriter, before: string, name: string): void {
  if (name === "") return;
  out.ascii(before);
  if (plainName.test(name)) out.ascii(name);
  else writeText(out, utf8Bytes(name));
  out.byte(0x22);
}

/** The target of a symlink: as text, and as raw bytes too where it is not valid UTF-8. */
export function writeLinkTarget(out: ByteWriter, target: Uint8Array): void {
  if (target.length === 0) return;
  out.ascii(',"linktarget":"');
  writeText(out, target);
  if (!isUtf8(target)) {
    out.ascii('","linktarget_raw":"');
    out.base64(target);
  }
  out.byte(0x22);
}

/** Extended attributes in the order given; nothing if there are none. */
export function writeAttributes(out: ByteWriter, attributes: readonly NodeAttribute[]): void {
  if (attributes.length === 0) return;
  let before = ',"extended_attributes":[{"name":"';
  for (const attribute of attributes) {
    out.ascii(before);
    writeText(out, attribute.name);
    out.ascii('","value":"');
    out.base64(attribute.value);
    before = '"},{"name":"';
  }
  out.ascii('"}]');
}

/** `"<hex>","<hex>",…` of the ids in `ids[start … end)`, 32 bytes each. */
export function writeIds(out: ByteWriter, ids: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at += 32) {
    out.ensure(67);
    if (at > start) out.byte(0x2c);
    out.byte(0x22);
    out.hex(ids, at, 32);
    out.byte(0x22);
  }
}

/** The inside of a JSON string, as Go escapes it. */
export function writeText(out: ByteWriter, text: Uint8Array): void {
  out.ensure(text.length * goStringExpansion);
  out.length = writeGoString(out.bytes, out.length, text, 0, text.length);
}
