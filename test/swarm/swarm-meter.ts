/** What a process of the swarm counts while its agents work; sent to whoever leads the swarm, and added up there. */
import { LatencyHistogram } from "./latency-histogram.ts";
import { RateTimeline } from "./rate-timeline.ts";

/** `SwarmMeter` as JSON. */
export interface SwarmFigures {
  readonly latencies: Readonly<Record<string, readonly number[]>>;
  readonly requests: readonly (readonly [number, number])[];
  readonly outcomes: Readonly<Record<string, number>>;
}

export class SwarmMeter {
  /** By route, of requests that were answered; of wakes only those answered before they were held. */
  readonly latencies = new Map<string, LatencyHistogram>();
  /** Every request that was begun, answered or not. */
  requests = new RateTimeline();
  /** `bundle 304`, `status clock-skew`, `wake ECONNREFUSED` … */
  readonly outcomes = new Map<string, number>();

  begin(timeMs: number): void {
    this.requests.add(timeMs);
  }

  answered(route: string, durationMs: number): void {
    const histogram = this.latencies.get(route) ?? new LatencyHistogram();
    histogram.add(durationMs);
    this.latencies.set(route, histogram);
  }

  ended(route: string, outcome: string): void {
    const name = `${route} ${outcome}`;
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
  }

  merge(figures: SwarmFigures): void {
    for (const [route, counts] of Object.entries(figures.latencies)) {
      const histogram = this.latencies.get(route) ?? new LatencyHistogram();
      histogram.merge(new LatencyHistogram(counts));
      this.latencies.set(route, histogram);
    }
    this.requests.merge(new RateTimeline(figures.requests));
    for (const [name, count] of Object.entries(figures.outcomes))
      this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + count);
  }

  /** Begins anew. */
  clear(): void {
    this.latencies.clear();
    this.outcomes.clear();
    this.requests = new RateTimeline();
  }

  toJSON(): SwarmFigures {
    return {
      latencies: Object.fromEntries(
        [...this.latencies].map(([name, each]) => [name, each.toJSON()]),
      ),
      requests: this.requests.toJSON(),
      outcomes: Object.fromEntries(this.outcomes),
    };
  }
}
