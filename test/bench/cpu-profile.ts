/** Where the time of one of our own commands goes: self time by function, thread by thread. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const linesPerThread = 12;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Runs the command line of `agent/bin/backstay` under V8's profiler; resolves to printable lines. */
export function profileCommand(
  checkout: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-profile-"));
  try {
    const flags = [
      "--cpu-prof",
      `--cpu-prof-dir=${folder}`,
      "--disable-warning=ExperimentalWarning",
    ];
    const program = path.join(checkout, "agent/bin/backstay.ts");
    execFileSync(process.execPath, [...flags, program, ...args], {
      env: { ...process.env, ...environment },
      stdio: "ignore",
    });
    return readdirSync(folder)
      .sort()
      .flatMap((name) => profileLines(name, readFileSync(path.join(folder, name), "utf8")));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function profileLines(name: string, text: string): string[] {
  const profile = JSON.parse(text) as Profile;
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const self = new Map<string, number>();
  for (const [i, sample] of profile.samples.entries()) {
    const frame = frames.get(sample);
    const label = `${frame?.functionName} ${path.basename(frame?.url ?? "")}`;
    self.set(label, (self.get(label) ?? 0) + profile.timeDeltas[i] / 1e6);
  }
  const total = [...self.values()].reduce((sum, seconds) => sum + seconds, 0);
  const top = [...self].sort((a, b) => b[1] - a[1]).slice(0, linesPerThread);
  return [
    `thread ${name.split(".").at(-3)}: ${total.toFixed(2)} s`,
    ...top.map(([label, seconds]) => `  ${seconds.toFixed(2)} s  ${label}`),
  ];
}
