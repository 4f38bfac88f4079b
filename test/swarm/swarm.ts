/**
 * `npm run swarm`: many machines in a few processes against real servers, over the real protocol. It tells rates, times,
 * what a policy change, a command and an outage do, and that no report is lost or counted twice.
 */
import { type SwarmOptions, swarmHelp, swarmOptions } from "./swarm-options.ts";
import { swarmReport } from "./swarm-report.ts";
import { SwarmTrial } from "./swarm-trial.ts";

const args = process.argv.slice(2);
if (args.includes("--help")) {
  console.log(swarmHelp);
  process.exit(0);
}
let options: SwarmOptions;
try {
  options = swarmOptions(args);
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${swarmHelp}`);
  process.exit(2);
}
const trial = new SwarmTrial(options, (line) => console.error(line));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => void trial.end().finally(() => process.exit(130)));
let exitCode = 1;
try {
  const result = await trial.run();
  console.log(
    options.withJson
      ? JSON.stringify({ options, result }, null, 2)
      : swarmReport(options, result).join("\n"),
  );
  const { reports, commandsDoneTwice, refusals } = result;
  exitCode = reports.lost + reports.doubled + commandsDoneTwice + refusals.count === 0 ? 0 : 1;
} catch (error) {
  console.error(error);
} finally {
  await trial.end();
}
process.exit(exitCode);
