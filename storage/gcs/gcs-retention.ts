/** Objects that are locked for a time, by Google's object retention (or by the bucket's, which is longer than nothing). */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { assertHandle } from "../handle-name.ts";
import { type Handle, handlePath, type RetentionLocks } from "../object-store.ts";
import type { RetentionRule } from "../retention-lock.ts";
import { type GcsObject, retentionDocument, retentionModeOf } from "./gcs-object.ts";
import type { GcsObjects } from "./gcs-objects.ts";

export class GcsRetention implements RetentionLocks {
  readonly #objects: GcsObjects;
  readonly #rule: RetentionRule | undefined;

  /** Without a rule, objects are locked so that who has a special right may unlock them. */
  constructor(objects: GcsObjects, rule: RetentionRule | undefined) {
    this.#objects = objects;
    this.#rule = rule;
  }

  async lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined> {
    return (await this.#look(handle, signal)).lockedUntilMs;
  }

  async extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void> {
    const found = await this.#look(handle, signal);
    const wanted = this.#rule === undefined ? "Unlocked" : retentionModeOf(this.#rule);
    const mode = found.retentionMode === "Locked" ? "Locked" : wanted;
    const untilNowMs = found.lockedUntilMs ?? 0;
    const isHardened = found.retentionMode === "Unlocked" && mode === "Locked";
    if (untilNowMs >= untilMs && !isHardened) return;
    const query = new URLSearchParams({ ifMetagenerationMatch: found.metageneration });
    if (isHardened) query.set("overrideUnlockedRetention", "true");
    const retention = retentionDocument(mode, Math.max(untilMs, untilNowMs));
    const request = {
      kind: "other",
      method: "PATCH",
      path: `${this.#objects.pathOf(handle)}?${query.toString()}`,
      headers: { "content-type": "application/json; charset=UTF-8" },
      body: [Buffer.from(JSON.stringify({ retention }))],
      context: { file: handlePath(handle) },
    } as const;
    await this.#objects.requests.exchange(request, signal, async (answer) => {
      if (answer.status === 200) return;
      if (answer.status !== 412) throw await answer.refusal();
      throw new BackstayError("STORE_UNAVAILABLE", {
        file: handlePath(handle),
        problem: "somebody else changed it at this moment",
      });
    });
  }

  async #look(handle: Handle, signal: AbortSignal): Promise<GcsObject> {
    assertHandle(handle);
    signal.throwIfAborted();
    const found = await this.#objects.look(handle, signal);
    if (found === undefined)
      throw new BackstayError("STORE_NOT_FOUND", { file: handlePath(handle) });
    return found;
  }
}
