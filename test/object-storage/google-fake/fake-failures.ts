/**
 * Failures that a test names in advance, by the instructions of Google's own storage-testbench; each is used once, by the
 * next request of its operation. What was not used is left, so that a test can say that all of it happened.
 *
 * - `return-X`, `return-X-retry-after-S`: the status, at once
 * - `return-X-after-YK`: of an upload, when Y KiB of it have come and were kept
 * - `return-reset-connection`: no answer, nothing done
 * - `lose-answer`: no answer, but everything done
 * - `return-broken-stream`, `return-broken-stream-after-YK`: a download that is cut
 * - `return-broken-stream-final-chunk-after-YB`: the last part of an upload that is cut
 * - `return-corrupted-data`: a download with another byte
 * - `change-upload`: an upload of which another byte arrives
 * - `stall-always`, `stall-for-Ts-after-YK`: nothing moves any more, in a download or an upload
 */
export type FakeOperation =
  | "storage.buckets.get"
  | "storage.buckets.insert"
  | "storage.objects.delete"
  | "storage.objects.get"
  | "storage.objects.insert"
  | "storage.objects.list"
  | "storage.objects.patch"
  /** Parts and questions of a resumable upload. */
  | "storage.objects.upload";

export interface Failure {
  readonly kind:
    | "return"
    | "reset"
    | "lose-answer"
    | "broken-stream"
    | "corrupted"
    | "change-upload"
    | "stall";
  /** Of `return`. */
  readonly status: number;
  readonly retryAfterS: number | undefined;
  /** So many bytes go well before. */
  readonly afterBytes: number;
  readonly onlyFinalPart: boolean;
  /** Of `stall`; infinite if it does not end. */
  readonly seconds: number;
}

const none = {
  status: 0,
  retryAfterS: undefined,
  afterBytes: 0,
  onlyFinalPart: false,
  seconds: Number.POSITIVE_INFINITY,
} as const;

const forms: readonly [form: RegExp, made: (numbers: number[]) => Failure][] = [
  [/^return-(\d{3})$/, ([status]) => ({ ...none, kind: "return", status })],
  [
    /^return-(\d{3})-retry-after-(\d+)$/,
    ([status, retryAfterS]) => ({ ...none, kind: "return", status, retryAfterS }),
  ],
  [
    /^return-(\d{3})-after-(\d+)K$/,
    ([status, kibibytes]) => ({ ...none, kind: "return", status, afterBytes: kibibytes * 1024 }),
  ],
  [/^return-reset-connection$/, () => ({ ...none, kind: "reset" })],
  [/^lose-answer$/, () => ({ ...none, kind: "lose-answer" })],
  [/^return-broken-stream$/, () => ({ ...none, kind: "broken-stream", afterBytes: 1024 * 1024 })],
  [
    /^return-broken-stream-after-(\d+)K$/,
    ([kibibytes]) => ({ ...none, kind: "broken-stream", afterBytes: kibibytes * 1024 }),
  ],
  [
    /^return-broken-stream-final-chunk-after-(\d+)B$/,
    ([afterBytes]) => ({ ...none, kind: "broken-stream", afterBytes, onlyFinalPart: true }),
  ],
  [/^return-corrupted-data$/, () => ({ ...none, kind: "corrupted" })],
  [/^change-upload$/, () => ({ ...none, kind: "change-upload" })],
  [/^stall-always$/, () => ({ ...none, kind: "stall" })],
  [
    /^stall-for-(\d+)s-after-(\d+)K$/,
    ([seconds, kibibytes]) => ({ ...none, kind: "stall", seconds, afterBytes: kibibytes * 1024 }),
  ],
];

export class FakeFailures {
  readonly #planned = new Map<FakeOperation, string[]>();

  /** Adds failures for the next requests of an operation. Throws if an instruction is none. */
  plan(operation: FakeOperation, ...instructions: readonly string[]): void {
    for (const instruction of instructions) failureOf(instruction);
    this.#planned.set(operation, [...(this.#planned.get(operation) ?? []), ...instructions]);
  }

  /** What has not happened. */
  get left(): string[] {
    return [...this.#planned].flatMap(([operation, instructions]) =>
      instructions.map((instruction) => `${operation}: ${instruction}`),
    );
  }

  clear(): void {
    this.#planned.clear();
  }

  /** Uses up the next failure of an operation; one for last parts only waits for `isFinalPart`. */
  next(operation: FakeOperation, isFinalPart: boolean): Failure | undefined {
    const instructions = this.#planned.get(operation) ?? [];
    if (instructions.length === 0) return undefined;
    const failure = failureOf(instructions[0]);
    if (failure.onlyFinalPart && !isFinalPart) return undefined;
    instructions.shift();
    return failure;
  }
}

function failureOf(instruction: string): Failure {
  for (const [form, made] of forms) {
    const match = form.exec(instruction);
    if (match !== null) return made(match.slice(1).map(Number));
  }
  throw new Error(`no failure: ${instruction}`);
}
