/**
 * Held requests: an agent leaves one, and gets its answer when there is a command or another bundle for it. One query at
 * the start and one for the answer, none in between; what happens between two requests the cursor shows.
 */
import { createHash } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { WakeAnswer } from "../../protocol/control/command.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { Bell } from "./bell.ts";
import { type BundleTurn, BundleTurns } from "./bundle-turns.ts";

export type WakeOutcome =
  | { readonly kind: "news"; readonly answer: WakeAnswer }
  /** Nothing; the server ends if it says how long to stay away. */
  | { readonly kind: "nothing"; readonly retryAfterSeconds?: number }
  /** There is no room to hold another one. */
  | { readonly kind: "off" };

interface Sight {
  /** Of the tenant: rises when bundles may have changed. */
  readonly revision: number;
  /** That the agent's newest bundle was compiled for; null: it has none. */
  readonly compiledFor: number | null;
  /** Of what waits to be fetched. */
  readonly commandIds: readonly string[];
}

const commandsMax = 200;
/** Holds end at different times, though they began together. */
const holdJitter = 0.2;
const drainSpreadSeconds = 30;

export class WakeDesk {
  readonly #ground: Pick<ServerGround, "database" | "now" | "wakeups" | "settings" | "signal">;
  readonly #chance: () => number;
  /** By agent: how to end what is held for it. */
  readonly #held = new Map<string, Bell>();
  readonly #turns: BundleTurns;

  /** `chance`: from 0 to below 1, anew each time. */
  constructor(
    ground: Pick<ServerGround, "database" | "now" | "wakeups" | "settings" | "signal">,
    turns: BundleTurns = new BundleTurns(),
    chance: () => number = Math.random,
  ) {
    this.#ground = ground;
    this.#chance = chance;
    this.#turns = turns;
  }

  /** How many are held now. */
  get held(): number {
    return this.#held.size;
  }

  /** Holds one request until there is something to say, for the hold time at most. `closed`: nobody waits any more. */
  async wait(
    agent: { readonly id: string; readonly tenantId: string },
    cursor: string,
    closed: AbortSignal,
  ): Promise<WakeOutcome> {
    const { settings, wakeups, signal } = this.#ground;
    // An agent has one at a time: the one before was lost on its way.
    const before = this.#held.get(agent.id);
    before?.ring("replaced");
    if (before === undefined && this.#held.size >= settings.wakesMax) return { kind: "off" };
    const bell = new Bell(AbortSignal.any([closed, signal]));
    this.#held.set(agent.id, bell);
    const unsubscribe = [
      wakeups.subscribe(`agent:${agent.id}`, () => bell.ring("commands")),
      wakeups.subscribe(`tenant:${agent.tenantId}`, () => bell.ring("bundle")),
    ];
    try {
      return await this.#hold(agent, cursor, bell);
    } finally {
      for (const end of unsubscribe) end();
      if (this.#held.get(agent.id) === bell) this.#held.delete(agent.id);
      bell.end();
    }
  }

  /** An agent got its bundle: another may be told of its own. */
  fetched(agentId: string): void {
    this.#turns.fetched(agentId, this.#held.has(agentId));
  }

  async #hold(
    agent: { readonly id: string; readonly tenantId: string },
    cursor: string,
    bell: Bell,
  ): Promise<WakeOutcome> {
    const { wakeHoldSeconds, bundleSpreadSeconds } = this.#ground.settings;
    const endMs = performance.now() + wakeHoldSeconds * 1000 * (1 - holdJitter * this.#chance());
    let sight = await this.#look(agent);
    const known = knownBy(cursor, sight);
    /** When this one asks for its turn to be told of another bundle, ms. */
    let askMs = sight.revision === known.revision ? Number.POSITIVE_INFINITY : 0;
    let turn: BundleTurn | undefined;
    try {
      for (;;) {
        const now = performance.now();
        if (now >= askMs) {
          askMs = Number.POSITIVE_INFINITY;
          turn ??= this.#turns.ask(agent.id, () => bell.ring("turn"));
        }
        const answer = newsSince(known, sight, turn?.isMine === true);
        if (answer?.bundle === true) turn = undefined;
        if (answer !== undefined) return { kind: "news", answer };
        if (bell.hasEnded || now >= endMs) return this.#nothing();
        const rung = await bell.heard(Math.min(endMs, askMs) - now);
        if (rung === "replaced") return { kind: "nothing" };
        // All agents of the tenant heard it at once: they ask one by one, or when they are back.
        if (rung === "bundle")
          askMs = Math.min(askMs, performance.now() + this.#chance() * bundleSpreadSeconds * 1000);
        if (rung === "commands" || rung === "turn") sight = await this.#look(agent);
      }
    } finally {
      turn?.leave();
    }
  }

  #nothing(): WakeOutcome {
    if (!this.#ground.signal.aborted) return { kind: "nothing" };
    return {
      kind: "nothing",
      retryAfterSeconds: Math.ceil(this.#chance() * drainSpreadSeconds),
    };
  }

  async #look(agent: { readonly id: string; readonly tenantId: string }): Promise<Sight> {
    const rows = await this.#ground.database
      .selectFrom("tenants")
      .leftJoin("bundles", (join) => join.on("bundles.agent_id", "=", agent.id))
      .leftJoin("commands", (join) =>
        join
          .on("commands.agent_id", "=", agent.id)
          .on("commands.state", "=", "queued")
          .on("commands.expires_ms", ">", this.#ground.now()),
      )
      .select(["tenants.revision", "bundles.revision as compiled_for", "commands.id"])
      .where("tenants.id", "=", agent.tenantId)
      .orderBy("commands.id")
      .limit(commandsMax)
      .execute();
    return {
      revision: rows[0]?.revision ?? 0,
      compiledFor: rows[0]?.compiled_for ?? null,
      commandIds: rows.flatMap(({ id }) => (id === null ? [] : [id])),
    };
  }
}

/** What an agent knows already. Without a cursor it has what its bundle was compiled for. */
interface Known {
  readonly revision: number;
  readonly commandsMark: string;
}

function knownBy(cursor: string, { revision, compiledFor }: Sight): Known {
  const [, told, commandsMark = ""] = /^(\d{1,15})-([\w-]{0,22})$/.exec(cursor) ?? [];
  return { revision: told === undefined ? (compiledFor ?? revision) : Number(told), commandsMark };
}

/** Undefined if there is nothing to tell: another bundle is told only to whose turn it is. */
function newsSince(known: Known, sight: Sight, isTurn: boolean): WakeAnswer | undefined {
  const { revision, commandIds } = sight;
  const commandsMark =
    commandIds.length === 0
      ? ""
      : createHash("sha256").update(commandIds.join()).digest("base64url").slice(0, 22);
  const bundle = isTurn && revision !== known.revision;
  const hasCommands = commandsMark !== "" && commandsMark !== known.commandsMark;
  if (!bundle && !hasCommands) return undefined;
  return {
    cursor: `${bundle ? revision : known.revision}-${commandsMark}`,
    bundle,
    commands: hasCommands ? commandIds.length : 0,
  };
}
