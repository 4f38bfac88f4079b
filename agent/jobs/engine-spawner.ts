/** Starts engines. */
import { type ChildProcess, spawn } from "node:child_process";
import { type Environment, engineEnvironment } from "./child-environment.ts";

/** Starts one engine, with pipes and in a process group of its own. */
export type EngineSpawner = () => ChildProcess;

export interface EngineProgram {
  /** `agent/bin/engine.ts`, or what it was bundled into. */
  readonly file: string;
  /** Of the daemon; the engine gets what it needs of it, and no secret. */
  readonly environment: Environment;
}

/**
 * Besides what every process of ours is started with: a small heap counts for more than a quick start. A first backup takes 16 MB
 * less by it, and no longer.
 */
const flags = [
  "--disable-sigusr1",
  "--disable-warning=ExperimentalWarning",
  "--max-semi-space-size=2",
  "--optimize-for-size",
];

/** Starts the real engine on the Node that this process runs on. */
export function engineSpawner({ file, environment }: EngineProgram): EngineSpawner {
  return () =>
    spawn(process.execPath, [...flags, file], {
      stdio: "pipe",
      detached: true,
      windowsHide: true,
      env: engineEnvironment(environment),
    });
}
