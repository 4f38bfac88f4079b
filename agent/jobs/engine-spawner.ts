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

/** Starts the real engine on the Node that this process runs on. */
export function engineSpawner({ file, environment }: EngineProgram): EngineSpawner {
  const flags = ["--disable-sigusr1", "--disable-warning=ExperimentalWarning"];
  return () =>
    spawn(process.execPath, [...flags, file], {
      stdio: "pipe",
      detached: true,
      windowsHide: true,
      env: engineEnvironment(environment),
    });
}
