/** Takes the elements of one JSON list apart while its text arrives, so that a list of a million files needs no memory. */

/** An element that is longer is none that we know; it would be kept in memory. */
const elementCharactersMax = 4096;

/** For one list. Every method throws SyntaxError when the text is no list of short elements. `null` is an empty list. */
export class JsonElements {
  #stand: "before" | "first" | "later" | "after" = "before";
  /** What has come of the element; before and after the list, of what is no list. */
  #text = "";
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  /** The elements that end in this part of the text. */
  push(part: string): unknown[] {
    const elements: unknown[] = [];
    for (let at = 0; at < part.length; ) {
      const isInside = this.#stand === "first" || this.#stand === "later";
      at = isInside ? this.#readElement(part, at, elements) : this.#readAround(part, at);
      if (this.#text.length > elementCharactersMax) throw new SyntaxError("an element is too long");
    }
    return elements;
  }

  /** To be called when the text has ended: it may not have ended too early. */
  end(): void {
    if (this.#stand !== "after" && this.#text !== "null")
      throw new SyntaxError("the list has no end");
  }

  /** Reads to the list's beginning, or what may follow its end; returns where it has stopped. */
  #readAround(part: string, from: number): number {
    const start = this.#stand === "before" ? part.indexOf("[", from) : -1;
    this.#text = `${this.#text}${part.slice(from, start < 0 ? undefined : start)}`.trim();
    if (this.#text !== "" && (start >= 0 || this.#stand === "after" || !isBeginning(this.#text)))
      throw new SyntaxError("not a list");
    if (start < 0) return part.length;
    this.#stand = "first";
    return start + 1;
  }

  /** Reads to the element's end, or as far as the part goes; returns where it has stopped. */
  #readElement(part: string, from: number, elements: unknown[]): number {
    let at = from;
    while (at < part.length && !this.#isEnd(part[at])) at += 1;
    this.#text += part.slice(from, at);
    if (at === part.length) return at;
    const isLast = part[at] === "]";
    const isEmptyList = isLast && this.#stand === "first" && this.#text.trim() === "";
    if (!isEmptyList) elements.push(JSON.parse(this.#text) as unknown);
    this.#text = "";
    this.#stand = isLast ? "after" : "later";
    return at + 1;
  }

  /** True if the character ends the element. */
  #isEnd(character: string): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (character === "\\") this.#isEscaped = true;
      else if (character === '"') this.#isInString = false;
      return false;
    }
    if (character === '"') this.#isInString = true;
    else if (this.#depth === 0 && (character === "," || character === "]")) return true;
    else if (character === "{" || character === "[") this.#depth += 1;
    else if (character === "}" || character === "]") this.#depth -= 1;
    return false;
  }
}

function isBeginning(text: string): boolean {
  return "null".startsWith(text);
}
