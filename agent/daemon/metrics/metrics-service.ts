/** Serves metrics where the configuration says, also when that changes. */
import type { HealthBoard } from "../health/health-board.ts";
import { MetricsServer } from "./metrics-server.ts";

export class MetricsService {
  readonly #text: () => string;
  readonly #board: HealthBoard;
  #server: MetricsServer | undefined;
  #address: string | undefined;

  constructor(text: () => string, board: HealthBoard) {
    this.#text = text;
    this.#board = board;
  }

  /** Serves at `address` from now on; nowhere if it is undefined. An address that can't be used is a condition. */
  async serve(address: string | undefined): Promise<void> {
    if (address === this.#address && (address === undefined || this.#server !== undefined)) return;
    await this.stop();
    this.#address = address;
    let problem: string | undefined;
    if (address !== undefined) {
      const server = new MetricsServer(this.#text);
      try {
        await server.listen(address);
        this.#server = server;
      } catch (error) {
        problem = (error as NodeJS.ErrnoException).code ?? String(error);
      }
    }
    this.#board.settle(
      "METRICS_ADDRESS",
      new Map(problem === undefined || address === undefined ? [] : [[address, { problem }]]),
    );
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }
}
