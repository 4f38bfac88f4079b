/** The few forms of ASN.1's distinguished encoding (DER) that a certificate of our own is made of. */

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Contents with the tag and the length before them. */
export function tagged(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80
      ? [length]
      : length < 0x100
        ? [0x81, length]
        : [0x82, Math.floor(length / 0x100), length % 0x100];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(tags.sequence, ...parts);
}

export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(tags.set, ...parts);
}

export function truth(): Uint8Array {
  return tagged(tags.boolean, Buffer.from([0xff]));
}

/** Of bytes that stand for a number above zero. */
export function integer(bytes: Uint8Array): Uint8Array {
  const isNegative = (bytes[0] ?? 0) >= 0x80;
  return tagged(tags.integer, ...(isNegative ? [Buffer.from([0])] : []), bytes);
}

/** All bits of the bytes but the last `unused`. */
export function bitString(bytes: Uint8Array, unused = 0): Uint8Array {
  return tagged(tags.bitString, Buffer.from([unused]), bytes);
}

export function octetString(...contents: readonly Uint8Array[]): Uint8Array {
  return tagged(tags.octetString, ...contents);
}

/** Of dotted numbers, as in `1.2.840.10045.4.3.2`. */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const septets = [number % 0x80];
    for (let left = Math.floor(number / 0x80); left > 0; left = Math.floor(left / 0x80))
      septets.unshift((left % 0x80) + 0x80);
    return septets;
  });
  return tagged(tags.objectIdentifier, Buffer.from(bytes));
}

export function text(value: string): Uint8Array {
  return tagged(tags.utf8String, Buffer.from(value));
}

/** To the second; the short form until 2049, as certificates must have it. */
export function time(ms: number): Uint8Array {
  const digits = `${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  return digits < "2050"
    ? tagged(tags.utcTime, Buffer.from(digits.slice(2)))
    : tagged(tags.generalizedTime, Buffer.from(digits));
}
