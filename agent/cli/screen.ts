/**
 * What a command shows: results on stdout, everything else on stderr, and on a terminal one block of status
 * lines at the bottom that is drawn anew in its place.
 *
 * Results are gathered and written in large pieces. When the reader of stdout goes away, nothing more is
 * written and `onReaderGone` is told once.
 */
import type { WriteStream } from "node:tty";
import { shortenMiddle } from "./display-width.ts";

/** The two streams of a process, or what stands for them in a test. */
export interface ScreenStreams {
  readonly stdout: NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns" | "rows">>;
  readonly stderr: NodeJS.WritableStream;
  /** Value of TERM. */
  readonly terminal: string | undefined;
}

const gatheredBytesMax = 64 * 1024;
const clearDown = "\r\u001b[J";

export class Screen {
  onReaderGone: () => void = () => undefined;
  readonly #streams: ScreenStreams;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #blockLines = 0;
  #isReaderGone = false;
  /** Set while stdout asks to wait. */
  #draining: Promise<void> | undefined;

  constructor(streams: ScreenStreams) {
    this.#streams = streams;
    streams.stdout.on("error", () => this.#loseReader());
    // Without stderr there is nobody left to tell.
    streams.stderr.on("error", () => undefined);
  }

  /** True if people look at stdout. */
  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY === true;
  }

  /** True if status lines can be drawn there. */
  get canRedraw(): boolean {
    return this.isTerminal && this.#streams.terminal !== "dumb";
  }

  /** Adds to the results on stdout. Text must have been made safe to show. */
  print(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.length;
    if (this.#gatheredBytes >= gatheredBytesMax || this.isTerminal) this.#writeGathered();
  }

  /** Adds a line to the results on stdout. */
  line(text = ""): void {
    this.print(`${text}\n`);
  }

  /** Writes a line to stderr. */
  note(text: string): void {
    this.#writeGathered();
    this.eraseBlock();
    this.#streams.stderr.write(`${text}\n`);
  }

  /**
   * Draws the block of status lines, in the place of the one before; does nothing where that is impossible. `paint`
   * adds colours to a line that was cut to fit.
   */
  drawBlock(lines: readonly string[], paint = (line: string, _at: number): string => line): void {
    if (!this.canRedraw || this.#isReaderGone) return;
    this.#writeGathered();
    const columns = Math.max(20, known(this.#streams.stdout.columns) ?? 80);
    const rows = Math.max(2, known(this.#streams.stdout.rows) ?? 24);
    const shown = lines
      .slice(0, rows - 1)
      .map((line, at) => paint(shortenMiddle(line, columns - 1), at));
    this.#streams.stdout.write(`${this.#toBlockStart()}${clearDown}${shown.join("\n")}`);
    this.#blockLines = shown.length;
  }

  /** Takes the block away. */
  eraseBlock(): void {
    if (this.#blockLines === 0) return;
    this.#streams.stdout.write(`${this.#toBlockStart()}${clearDown}`);
    this.#blockLines = 0;
  }

  /** Resolves once what was printed is taken by the system, or its reader is gone. */
  async settle(): Promise<void> {
    this.#writeGathered();
    while (this.#draining !== undefined && !this.#isReaderGone) await this.#draining;
  }

  /** As `settle`, to the last byte: for the end of the process. */
  async finish(): Promise<void> {
    this.eraseBlock();
    await this.settle();
    if (this.#isReaderGone) return;
    await new Promise<void>((resolve) => {
      this.#streams.stdout.once("error", () => resolve());
      this.#streams.stdout.write("", () => resolve());
    });
  }

  #toBlockStart(): string {
    return this.#blockLines > 1 ? `\u001b[${this.#blockLines - 1}A` : "";
  }

  #writeGathered(): void {
    if (this.#gatheredBytes === 0) return;
    const bytes = this.#gathered.length === 1 ? this.#gathered[0] : Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (this.#isReaderGone) return;
    this.eraseBlock();
    if (this.#streams.stdout.write(bytes) || this.#draining !== undefined) return;
    this.#draining = new Promise((resolve) => {
      const done = (): void => {
        this.#draining = undefined;
        resolve();
      };
      this.#streams.stdout.once("drain", done);
      this.#streams.stdout.once("error", done);
      this.#streams.stdout.once("close", done);
    });
  }

  #loseReader(): void {
    if (this.#isReaderGone) return;
    this.#isReaderGone = true;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.onReaderGone();
  }
}

/** A terminal that does not know its size says 0. */
function known(size: number | undefined): number | undefined {
  return size === 0 ? undefined : size;
}
