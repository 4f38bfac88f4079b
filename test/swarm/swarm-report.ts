/** The figures of a trial as lines for people. */
import type { SwarmOptions } from "./swarm-options.ts";
import type { PhaseFigures, SwarmResult } from "./swarm-trial.ts";

export function swarmReport(options: SwarmOptions, result: SwarmResult): string[] {
  const { agents, database, replicas, haste } = options;
  const { policyChange, commands, outage, reports } = result;
  const lines = [
    `${agents} machines, ${replicas} server(s) on ${database}${haste === 1 ? "" : `, all waits ${haste} times as short as in reality`}`,
    `enrolment: ${result.enrolmentsPerSecond.toFixed(0)} a second; first bundles: all after ${result.firstBundlesSeconds.toFixed(1)} s`,
    ...phaseLines("steady state", result.steady),
  ];
  if (policyChange !== undefined) {
    const { p50, p99, all } = policyChange.seconds;
    lines.push(
      "",
      `policy change: half of the machines had it after ${p50.toFixed(1)} s, 99 % after ${p99.toFixed(1)} s, all after ${all.toFixed(1)} s`,
      ...phaseLines("while it spread", policyChange.phase),
    );
  }
  if (commands !== undefined) {
    const { heardMs, doneMs, count } = commands;
    lines.push(
      "",
      `command to one machine, ${count} times: heard after ${heardMs.p50} ms, ${heardMs.most} ms at most; the server shows it done after ${doneMs.p50} ms, ${doneMs.most} ms at most`,
    );
  }
  if (outage !== undefined)
    lines.push(
      "",
      `after an outage of ${outage.seconds} s: ${outage.phase.peakPerSecond} requests in the busiest second, ${outage.peakToSteady.toFixed(1)} times the steady rate`,
      ...phaseLines("after the outage", outage.phase),
    );
  lines.push(
    "",
    `reports: ${reports.made} made, ${reports.lost} lost, ${reports.doubled} doubled; commands done twice: ${result.commandsDoneTwice}; not accepted by machines: ${result.refusals.count}`,
    ...result.refusals.first.map((line) => `  ${line}`),
  );
  return lines;
}

function phaseLines(title: string, phase: PhaseFigures): string[] {
  const { requestsPerSecond, peakPerSecond, seconds } = phase;
  const mebibytes = (phase.serverResidentBytes / 2 ** 20).toFixed(0);
  return [
    "",
    `${title}, ${seconds.toFixed(0)} s: ${requestsPerSecond.toFixed(1)} requests/s, ${peakPerSecond} in the busiest second`,
    `  servers ${phase.serverProcessorPercent.toFixed(0)} % of a core, ${mebibytes} MiB; database ${phase.databaseProcessorPercent.toFixed(0)} %; swarm ${phase.swarmProcessorPercent.toFixed(0)} %`,
    ...Object.entries(phase.routes).map(
      ([route, { count, p50Ms, p99Ms }]) =>
        `  ${route.padEnd(14)} ${String(count).padStart(7)}   p50 ${p50Ms.toFixed(1)} ms   p99 ${p99Ms.toFixed(1)} ms`,
    ),
    `  ${Object.entries(phase.outcomes)
      .map(([name, count]) => `${name}: ${count}`)
      .join(", ")}`,
  ];
}
