/** What every failure of the catalogue has. */

/** `temporary`: the same call may succeed later. `permanent`: somebody must act. `bug`: Backstay is wrong. */
export type ErrorKind = "temporary" | "permanent" | "bug";

export interface ErrorSpec {
  readonly kind: ErrorKind;
  /** Exit code of the command line (restic's numbers). */
  readonly exitCode: number;
  /** What happened, one sentence. */
  readonly title: string;
  /** What the person should do now. */
  readonly remedy: string;
}
