/** Options of `npm run swarm`. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export interface SwarmOptions {
  readonly agents: number;
  /** Steady state is measured for so long. */
  readonly seconds: number;
  /** The servers are away for so long; 0: they stay. */
  readonly outageSeconds: number;
  readonly withPolicyChange: boolean;
  /** So many machines get a command each, one after another. */
  readonly commands: number;
  readonly database: "sqlite" | "postgres";
  readonly replicas: number;
  readonly processes: number;
  readonly seed: number;
  /** Waits of agents are so much shorter than in reality. */
  readonly haste: number;
  readonly sessionEverySeconds: number;
  readonly withJson: boolean;
}

export const swarmHelp = `npm run swarm -- [options]

  --agents N            machines (200)
  --seconds N           how long the steady state is measured (20)
  --policy-change       change the policy of all, and see when it has reached each
  --command N           give a command to so many machines, one after another (0)
  --outage SECONDS      kill the servers for so long, and see how the machines come back (0)
  --database WHICH      sqlite or postgres (sqlite)
  --replicas N          servers beside each other, PostgreSQL only (1)
  --processes N         processes of the swarm (1 for each 5000 machines, at most one a core)
  --haste N             waits of machines are N times as short as in reality (1)
  --session-every S     mean seconds between two backups of a machine (86400, in the machine's time)
  --seed N              of everything that is random (1)
  --json                the figures as JSON`;

/** Throws an Error with what is wrong. */
export function swarmOptions(args: readonly string[]): SwarmOptions {
  const text = (fallback: string) => ({ type: "string", default: fallback }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      agents: text("200"),
      seconds: text("20"),
      outage: text("0"),
      "policy-change": { type: "boolean", default: false },
      command: text("0"),
      database: text("sqlite"),
      replicas: text("1"),
      processes: text("0"),
      seed: text("1"),
      haste: text("1"),
      "session-every": text("86400"),
      json: { type: "boolean", default: false },
    },
  });
  const number = (
    name:
      | "agents"
      | "seconds"
      | "outage"
      | "command"
      | "replicas"
      | "processes"
      | "seed"
      | "haste"
      | "session-every",
    smallest: number,
  ): number => {
    const value = Number(values[name]);
    if (!Number.isFinite(value) || value < smallest)
      throw new Error(`--${name} must be a number from ${smallest} on`);
    return value;
  };
  const { database } = values;
  if (database !== "sqlite" && database !== "postgres")
    throw new Error("--database must be sqlite or postgres");
  const replicas = number("replicas", 1);
  if (database === "sqlite" && replicas > 1)
    throw new Error("several replicas need --database postgres");
  const agents = number("agents", 1);
  const usualProcesses = Math.min(availableParallelism(), Math.ceil(agents / 5000));
  return {
    agents,
    seconds: number("seconds", 1),
    outageSeconds: number("outage", 0),
    withPolicyChange: values["policy-change"],
    commands: number("command", 0),
    database,
    replicas,
    processes: number("processes", 0) || usualProcesses,
    seed: number("seed", 0),
    haste: number("haste", 0.01),
    sessionEverySeconds: number("session-every", 0),
    withJson: values.json,
  };
}
