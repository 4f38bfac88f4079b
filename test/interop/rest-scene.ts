/** A small source, and programs that back it up over restic's REST protocol with an account. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { backstayOn, type RepositoryProgram, resticOn } from "../programs.ts";
import { cheapenKey } from "../repository/cheap-key.ts";
import { compareTrees, differenceLines } from "../tree-comparison.ts";

/** Where a repository is on a server, and who we are there. */
export interface RestRepository {
  /** `http://host:port/path/`. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** PEM file of the server's own authority. */
  readonly authority?: string;
}

export class RestScene {
  readonly folder = newMemoryFolder("backstay-rest-interop-");
  readonly source: string = path.join(this.folder, "source");
  #targets = 0;

  constructor() {
    mkdirSync(path.join(this.source, "many", "deep"), { recursive: true });
    writeFileSync(path.join(this.source, "noise"), randomBytes(6_000_000));
    writeFileSync(path.join(this.source, "words"), "some words ".repeat(100_000));
    writeFileSync(path.join(this.source, "empty"), "");
    for (let i = 0; i < 200; i += 1)
      writeFileSync(path.join(this.source, "many", "deep", `file ${i}`), `content ${i}\n`);
  }

  remove(): void {
    execFileSync("rm", ["-rf", this.folder]);
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Changes the source, so that the next backup has something to do. */
  touch(): void {
    writeFileSync(
      path.join(this.source, `later ${randomBytes(4).toString("hex")}`),
      randomBytes(400_000),
    );
  }

  /** Our own command line on a repository of any kind, with that environment. */
  backstayOn(
    repository: string,
    environment: Readonly<Record<string, string>>,
    cache = "cache",
  ): RepositoryProgram {
    return backstayOn({
      repository,
      password: "interop",
      cache: this.at(cache),
      environment: { ...environment, BACKSTAY_HOST: "interop" },
    });
  }

  /** As `backstayOn`, a restic. */
  resticOn(
    program: string,
    repository: string,
    environment: Readonly<Record<string, string>>,
  ): RepositoryProgram {
    return resticOn(program, {
      repository,
      password: "interop",
      environment: { ...environment, RESTIC_HOST: "interop" },
    });
  }

  /** Our own command line; the account comes from the environment. */
  backstay({ url, user, password, authority }: RestRepository, cache?: string): RepositoryProgram {
    const environment = {
      RESTIC_REST_USERNAME: user ?? "",
      RESTIC_REST_PASSWORD: password ?? "",
      RESTIC_CACERT: authority ?? "",
    };
    return this.backstayOn(`rest:${url}`, environment, cache);
  }

  /** A restic; the account is in the address, as its old versions want it. */
  restic(program: string, { url, user, password, authority }: RestRepository): RepositoryProgram {
    const account = user === undefined ? "" : `${user}:${password ?? ""}@`;
    const address = `rest:${url.replace("//", `//${account}`)}`;
    return this.resticOn(
      program,
      address,
      authority === undefined ? {} : { RESTIC_CACERT: authority },
    );
  }

  /** Makes opening a repository cheap that one of `backstayOn` or `resticOn` has made. */
  async cheapen(repository: string, environment: Readonly<Record<string, string>>): Promise<void> {
    const store = openStore(repository, { environment });
    try {
      await cheapenKey(store, "interop");
    } finally {
      await store.close();
    }
  }

  async backUp(program: RepositoryProgram): Promise<void> {
    await program.succeed("backup", this.source, "--host", "interop");
  }

  async snapshots(program: RepositoryProgram): Promise<number> {
    return (await program.messages("snapshots")).length;
  }

  /** The last snapshot is what the source is, and all data is good. */
  async expectGood(program: RepositoryProgram): Promise<void> {
    expect(await program.output("check", "--read-data")).toContain("no errors were found");
    this.#targets += 1;
    const target = this.at(`restored-${this.#targets}`);
    await program.succeed("restore", "latest", "--target", target);
    const restored = path.join(target, this.source);
    // Times of links and the like are compared elsewhere: here it is about the way of the bytes.
    const comparison = compareTrees(this.source, restored, { isExpected: () => false });
    expect(differenceLines(comparison)).toEqual([]);
    execFileSync("rm", ["-rf", target]);
  }
}
