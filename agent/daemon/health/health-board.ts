/**
 * The conditions of this agent: raised and cleared by facts, kept so that a restart does not forget since when
 * something is so, shown once they have lasted as long as the catalogue says.
 */
import {
  type ConditionCode,
  type ConditionSpec,
  healthCatalog,
  isConditionCode,
} from "../../../protocol/health-catalog.ts";
import type { HealthCondition } from "../../../protocol/health-condition.ts";
import type { HealthReason } from "../../../protocol/local-api/health.ts";
import type { ConditionStore } from "../../state/state.ts";

type Facts = HealthCondition["facts"];

/** What is so about each subject; the fact `problem` is what people read after the catalogue's sentence. */
export type Findings = ReadonlyMap<string, Facts>;

export class HealthBoard {
  readonly #store: ConditionStore;
  readonly #nowMs: () => number;
  readonly #onChange: () => void;
  readonly #conditions = new Map<string, HealthCondition>();

  /** `onChange` is called after each change. Codes that this version does not know are forgotten. */
  constructor(store: ConditionStore, nowMs: () => number, onChange: () => void) {
    this.#store = store;
    this.#nowMs = nowMs;
    this.#onChange = onChange;
    for (const condition of store.all())
      if (isConditionCode(condition.code)) this.#conditions.set(keyOf(condition), condition);
      else store.remove(condition.code, condition.subject);
  }

  /** Makes this true of a subject: with facts it is so, without it is not. */
  set(code: ConditionCode, subject: string, facts: Facts | undefined): void {
    const before = this.#conditions.get(keyOf({ code, subject }));
    if (facts === undefined) {
      if (before === undefined) return;
      this.#conditions.delete(keyOf(before));
      this.#store.remove(code, subject);
    } else {
      if (before !== undefined && JSON.stringify(before.facts) === JSON.stringify(facts)) return;
      const sinceMs = before?.sinceMs ?? this.#nowMs();
      const { severity } = healthCatalog[code];
      const condition = { ...before, code, subject, severity, sinceMs, facts };
      this.#conditions.set(keyOf(condition), condition);
      this.#store.put(condition);
    }
    this.#onChange();
  }

  /** Makes exactly these the subjects of which it is so. */
  settle(code: ConditionCode, findings: Findings): void {
    for (const { code: other, subject } of [...this.#conditions.values()])
      if (other === code && !findings.has(subject)) this.set(code, subject, undefined);
    for (const [subject, facts] of findings) this.set(code, subject, facts);
  }

  /** Those that began so long ago are over. */
  expire(code: ConditionCode, ageMs: number): void {
    const before = this.#nowMs() - ageMs;
    for (const { code: other, subject, sinceMs } of [...this.#conditions.values()])
      if (other === code && sinceMs < before) this.set(code, subject, undefined);
  }

  /** Those that people are shown, in words; oldest first. */
  reasons(): readonly HealthReason[] {
    const nowMs = this.#nowMs();
    return [...this.#conditions.values()]
      .filter(({ code, sinceMs }) => {
        // A clock that was set back must not hide what was visible.
        const lastedMs = Math.abs(nowMs - sinceMs);
        return isConditionCode(code) && lastedMs >= healthCatalog[code].visibleAfterMs;
      })
      .toSorted((a, b) => a.sinceMs - b.sinceMs)
      .map(reasonOf);
  }
}

function reasonOf({ facts, ...condition }: HealthCondition): HealthReason {
  const { title, remedy }: ConditionSpec = healthCatalog[condition.code as ConditionCode];
  const problem = facts["problem"];
  const about = [condition.subject, problem].filter((part) => part !== undefined && part !== "");
  const text = about.length === 0 ? title : `${title.slice(0, -1)}: ${about.join(": ")}`;
  return { ...condition, text, remedy };
}

function keyOf({ code, subject }: Pick<HealthCondition, "code" | "subject">): string {
  return `${code} ${subject}`;
}
