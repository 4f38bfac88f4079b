/** What the demo prints: numbered steps, how long each took, the command that a person would type, what came of it. */

export class Story {
  #step = 0;

  /** Does a step and prints it. `commands` as typed, without the `$`. Rejects as the work does. */
  async step(
    title: string,
    commands: string | readonly string[],
    work: () => Promise<string>,
  ): Promise<void> {
    this.#step += 1;
    const start = performance.now();
    const result = await work();
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    console.log(`${String(this.#step).padStart(2)}. ${title}  (${seconds} s)`);
    for (const command of [commands].flat()) console.log(`    $ ${command}`);
    for (const line of result.split("\n")) console.log(`      ${line}`);
  }

  chapter(title: string): void {
    console.log(`\n${title}\n`);
  }
}
