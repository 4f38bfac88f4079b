/** The moments that a timer asks for, as local times: what the clock on the wall should show. */

export interface LocalTimes {
  /** The first that is not before `fromMs`; undefined if there is none any more. Both as local-time.ts counts. */
  next(fromMs: number): number | undefined;
  /** True if they go on in an hour that the clock shows twice: for what runs every so often, not at a time of day. */
  readonly repeats: boolean;
}
