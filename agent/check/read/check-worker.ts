/** Entry of a thread that verifies packs: one message is one job. */
import { parentPort } from "node:worker_threads";
import { openCodec } from "../../../platform/open-codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { masterKeyFromBytes } from "../../repository/crypto/master-key.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { threadLoaded } from "../../threads/ended-thread.ts";
import { BlobBits } from "../trees/blob-bits.ts";
import type { CheckAnswer, CheckMessage } from "./check-messages.ts";
import { PackVerifier } from "./pack-verifier.ts";

threadLoaded();
let verifier: PackVerifier | undefined;

function answer(message: CheckMessage): CheckAnswer | undefined {
  if (message.kind === "start") {
    const key = masterKeyFromBytes(message.masterKey);
    verifier = new PackVerifier(openCodec(), key, BlobTable.attach(message.table));
    return undefined;
  }
  if (verifier === undefined) throw new BackstayError("INTERNAL", { problem: "job before start" });
  if (message.kind === "look for hurt") {
    verifier.lookForHurt(new BlobBits(message.hurt));
    return undefined;
  }
  const done =
    message.kind === "whole" ? verifier.verifyWhole(message) : verifier.verifyWindow(message);
  // Now, not when the collector comes by: packs arrive faster than it looks.
  (message.bytes.buffer as ArrayBuffer).transfer(0);
  return done;
}

parentPort?.on("message", (message: CheckMessage) => {
  const done = answer(message);
  if (done !== undefined) parentPort?.postMessage(done, [done.trees.buffer as ArrayBuffer]);
});
