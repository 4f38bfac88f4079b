import { afterEach, beforeEach, expect, it } from "vitest";
import { newRecoveryKey, openRecovery } from "../../../protocol/control/recovery-key.ts";
import type { EscrowDeposit } from "../../../protocol/control/reports.ts";
import { openMemoryState } from "../../../test/daemon/memory-state.ts";
import type { ServerAnswer, ServerCall, ServerCalls } from "../../control/server-calls.ts";
import type { State } from "../../state/state.ts";
import { RecoveryDeposits } from "./recovery-deposits.ts";

const never = new AbortController().signal;
const key = newRecoveryKey();
const wanted = { id: key.id, key: key.publicKey };
let state: State;
let deposits: RecoveryDeposits;

/** A server that takes everything, or nothing. */
class Server implements ServerCalls {
  readonly had: EscrowDeposit[] = [];
  isAway = false;

  async call({ body }: ServerCall): Promise<ServerAnswer> {
    await Promise.resolve();
    if (this.isAway) throw new Error("away");
    this.had.push(body as EscrowDeposit);
    return { status: 204, header: () => undefined, body: undefined };
  }
}

beforeEach(() => {
  state = openMemoryState();
  deposits = new RecoveryDeposits(state.facts, "agent");
});
afterEach(() => state.close());

it("asks for a recovery password once for each repository and recovery key", () => {
  expect(deposits.wanted("r", undefined)).toBeUndefined();
  expect(deposits.wanted("r", wanted)).toEqual({});
  deposits.add("r", wanted, "key 1", "a password");
  expect(deposits.wanted("r", wanted)).toBeUndefined();
  expect(deposits.wanted("other", wanted)).toEqual({});
  const next = newRecoveryKey();
  expect(deposits.wanted("r", { id: next.id, key: next.publicKey })).toEqual({ replaces: "key 1" });
});

it("keeps what was made until the server has it, sealed, over restarts", async () => {
  deposits.add("r", wanted, "key 1", "a password");
  expect(JSON.stringify(state.facts.get("recovery-deposits"))).not.toContain("a password");
  const server = new Server();
  server.isAway = true;
  await expect(deposits.send(server, never)).rejects.toThrow("away");
  server.isAway = false;
  deposits = new RecoveryDeposits(state.facts, "agent");
  expect(deposits.areAllDelivered).toBe(false);
  await deposits.send(server, never);
  await deposits.send(server, never);
  expect(server.had).toHaveLength(1);
  expect(server.had[0]).toMatchObject({ repositoryId: "r", recoveryKeyId: key.id });
  const place = { agentId: "agent", repositoryId: "r" };
  expect(openRecovery(server.had[0]?.sealed ?? "", key.privateKey, place)).toMatchObject({
    keyName: "key 1",
    password: "a password",
  });
  expect(new RecoveryDeposits(state.facts, "agent").areAllDelivered).toBe(true);
});
