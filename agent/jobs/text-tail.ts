/** The end of what a program says, in bounded memory. */

export class TextTail {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isCut = false;

  /** `bytesMax` is what is kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(data: Buffer): void {
    this.#parts.push(data);
    this.#bytes += data.length;
    if (this.#bytes < this.#bytesMax * 2) return;
    const kept = Buffer.concat(this.#parts).subarray(-this.#bytesMax);
    // A copy, so that what is gone can be freed.
    this.#parts = [Buffer.from(kept)];
    this.#isCut = true;
    this.#bytes = kept.length;
  }

  /** As text, without control characters but line feeds and tabs; begins with `…` if something is missing. */
  text(): string {
    const all = Buffer.concat(this.#parts);
    const isCut = this.#isCut || all.length > this.#bytesMax;
    const text = all
      .subarray(-this.#bytesMax)
      .toString("utf8")
      .replace(/[^\P{Cc}\n\t]/gu, "")
      .trim();
    return isCut ? `…${text}` : text;
  }
}
