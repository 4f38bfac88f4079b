/** A process that restores and may be killed: repository folder, tree (hex), target and overwrite rule as arguments. */
import { Repository } from "../../agent/repository/repository.ts";
import { restoreSnapshot } from "../../agent/restore/restore.ts";
import type { OverwriteRule } from "../../protocol/run-order.ts";
import { openStore } from "../../storage/open-store.ts";

const [folder, tree, target, overwrite] = process.argv.slice(2);
const signal = new AbortController().signal;
const password = new TextEncoder().encode("crafted");
const repository = await Repository.open(openStore(folder), { password, signal });
await repository.loadIndex(signal);
process.stdout.write("start\n");
const summary = await restoreSnapshot({
  repository,
  tree: Buffer.from(tree, "hex"),
  target: Buffer.from(target),
  overwrite: overwrite as OverwriteRule,
  threads: 2,
  signal,
});
process.stdout.write(`${JSON.stringify(summary)}\n`);
