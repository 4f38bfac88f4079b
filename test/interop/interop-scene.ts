/** A source, and repositories of Backstay and both versions of restic beside it, in a folder that goes away; in memory where there is room. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LocalStore } from "../../storage/local/local-store.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { backstayOn, type RepositoryProgram, resticOn } from "../programs.ts";
import { cheapenKey } from "../repository/cheap-key.ts";
import {
  compareTrees,
  differenceLines,
  type TreeComparison,
  type TreeDifference,
} from "../tree-comparison.ts";

/** Who backs up or restores. */
export type ProgramName = "backstay" | "restic014" | "restic018";

export interface ScenePeers {
  readonly restic014: string;
  readonly restic018: string;
}

/** All snapshots of a scene are of one host, so that each program finds the others' as parent. */
export const sceneHost = "interop";

/** Paths of one scene; nothing is made in them but by the tests. */
export class InteropScene {
  readonly folder: string;
  /** What is backed up. It does not exist at first. */
  readonly source: string;
  readonly password = "gold\u00e9n key";
  readonly #peers: ScenePeers;
  #targets = 0;

  constructor(peers: ScenePeers, place: "memory" | "disk" = "memory") {
    this.#peers = peers;
    const prefix = "backstay-interop-";
    this.folder =
      place === "memory" ? newMemoryFolder(prefix) : mkdtempSync(path.join(tmpdir(), prefix));
    this.source = path.join(this.folder, "source");
  }

  remove(): void {
    execFileSync("rm", ["-rf", this.folder]);
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** A program that works on the repository of that name, with a cache of its own. */
  program(name: ProgramName, repository: string): RepositoryProgram {
    const options = {
      repository: this.at(repository),
      password: this.password,
      cache: this.at(`cache-${name}`),
      environment: this.environment({}),
    };
    return name === "backstay" ? backstayOn(options) : resticOn(this.#peers[name], options);
  }

  /** What programs of this scene get besides password and places. */
  environment(more: Readonly<Record<string, string>>): Record<string, string> {
    return { RESTIC_HOST: sceneHost, BACKSTAY_HOST: sceneHost, ...more };
  }

  /** Makes a repository that is cheap to open. */
  async init(name: ProgramName, repository: string, ...args: string[]): Promise<RepositoryProgram> {
    const program = this.program(name, repository);
    await program.succeed("init", ...args);
    await cheapenKey(new LocalStore(this.at(repository)), this.password);
    return program;
  }

  /** Makes the repository and one snapshot of the source. */
  async backUp(name: ProgramName, repository: string, ...args: string[]): Promise<void> {
    const program = await this.init(name, repository);
    await program.succeed("backup", this.source, "--host", sceneHost, ...args);
  }

  /** Restores the last snapshot to a new folder; returns where the source came to lie. */
  async restore(name: ProgramName, repository: string, ...args: string[]): Promise<string> {
    this.#targets += 1;
    const target = this.at(`restored-${this.#targets}`);
    const isSparse = name === "restic018" ? ["--sparse"] : [];
    await this.program(name, repository).succeed(
      "restore",
      "latest",
      "--target",
      target,
      ...isSparse,
      ...args,
    );
    return path.join(target, this.source);
  }

  /** Compares a restored source with the source, but for what is known not to come back. */
  compare(restored: string, isExpected: (difference: TreeDifference) => boolean): TreeComparison {
    return compareTrees(this.source, restored, { isExpected });
  }

  /** Restores, compares, and returns the differences as lines; the restored copy goes away. */
  async differencesAfterRestore(
    name: ProgramName,
    repository: string,
    isExpected: (difference: TreeDifference) => boolean,
    ...args: string[]
  ): Promise<string[]> {
    const restored = await this.restore(name, repository, ...args);
    const lines = differenceLines(this.compare(restored, isExpected));
    execFileSync("rm", ["-rf", this.at(path.relative(this.folder, restored).split(path.sep)[0])]);
    return lines;
  }
}
