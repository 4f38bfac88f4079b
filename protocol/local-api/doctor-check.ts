/** What `doctor` looked at and found. */

export interface DoctorCheck {
  /** Never renamed: `state-directory`, `free-space`, `clock`, … */
  readonly code: string;
  /** What was looked at, in a few words. */
  readonly title: string;
  /** `unknown`: it could not be looked at. */
  readonly verdict: "good" | "warning" | "bad" | "unknown";
  /** What was found. */
  readonly text: string;
  /** What to do; empty if nothing needs doing. */
  readonly remedy: string;
}

/** What `GET …/doctor` answers. */
export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
}
