/** What is different between two plain values, place by place. Pure. */

export interface ValueChange {
  /** `quotas.storedBytesMax`, `routes[0].url`. */
  readonly place: string;
  /** Undefined: there was none. */
  readonly before: unknown;
  /** Undefined: there is none any more. */
  readonly after: unknown;
}

/** In the order of the fields before, then of new ones. The order of fields makes no difference. */
export function valueChanges(before: unknown, after: unknown, place = ""): ValueChange[] {
  if (Object.is(before, after)) return [];
  const isList = Array.isArray(before);
  if (!isContainer(before) || !isContainer(after) || isList !== Array.isArray(after))
    return [{ place, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) =>
    valueChanges(
      before[key],
      after[key],
      isList ? `${place}[${key}]` : place === "" ? key : `${place}.${key}`,
    ),
  );
}

const shownMax = 100;

/** `quotas.storedBytesMax: 5 -> 10`. */
export function changeText({ place, before, after }: ValueChange): string {
  return `${place}: ${valueText(before)} -> ${valueText(after)}`;
}

function valueText(value: unknown): string {
  if (value === undefined) return "(none)";
  const text = JSON.stringify(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
