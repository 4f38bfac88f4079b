/**
 * Gives an entry its owner, attributes, times and permissions, by its open handle. What the target does not take
 * is a warning. Permissions come last: until then a file says that it is not finished.
 */
import { FileError } from "../../../platform/ports/source-files.ts";
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";
import type { NodeAttribute } from "../../repository/tree/node.ts";
import { noExtra } from "../plan/node-extra.ts";
import { type RestorePlan, rowKind } from "../plan/restore-plan.ts";
import { showPath } from "../restore-issues.ts";
import { StatView } from "./stat-view.ts";
import type { WorkContext } from "./work-context.ts";
import { explain, fileError } from "./work-issues.ts";

/** An id that chown takes for: leave it as it is. */
const noId = 0xffffffff;
const setIdBits = 0o6000;
/** Setting this attribute changes the permissions, so it waits until nothing else is left to do. */
const accessList = "system.posix_acl_access";
/** Times within this range fit on every file system that we know. */
const safeSeconds = { from: 0, to: 2 ** 31 - 1 } as const;
/** Attributes that the system itself gives to new entries. */
const ownAttributes: ReadonlySet<string> = new Set([
  "security.selinux",
  "security.ima",
  "security.evm",
]);

/** What was at the place of the entry before. */
export type Freshness =
  /** Made by this run in a directory whose group is ours, so that owner and group are ours. */
  | "new and ours"
  /** Made by this run; owner or attributes may have been inherited. */
  | "new"
  | "existed";

export class EntryMetadata {
  readonly #files: TargetFiles;
  readonly #plan: RestorePlan;
  readonly #context: WorkContext;
  readonly #stat: StatView;

  constructor(context: WorkContext) {
    this.#context = context;
    this.#files = context.files;
    this.#plan = context.plan;
    this.#stat = new StatView(context.files);
  }

  /** Sets everything that row `row` says. Throws only what makes no sense to go on with. */
  apply(row: number, handle: TargetHandle, freshness: Freshness): void {
    const plan = this.#plan;
    const extra = plan.hasExtra(row) ? plan.extraOf(row) : noExtra;
    this.#setOwner(row, handle, freshness);
    if (extra.attributes.length > 0 || freshness === "existed" || freshness === "new")
      this.#setAttributes(row, handle, extra.attributes, false);
    const seconds = plan.secondsOf(row);
    const nanoseconds = plan.nanosecondsOf(row);
    const accessSeconds = extra.accessSeconds ?? seconds;
    const accessNanoseconds =
      extra.accessSeconds === undefined ? nanoseconds : extra.accessNanoseconds;
    try {
      this.#files.setTimes(handle, accessSeconds, accessNanoseconds, seconds, nanoseconds);
      if (seconds < safeSeconds.from || seconds > safeSeconds.to) this.#checkTime(row, handle);
    } catch (error) {
      this.#warn(row, "its times", error);
    }
    if (extra.attributes.length > 0) this.#setAttributes(row, handle, extra.attributes, true);
    if (plan.kindOf(row) !== rowKind.symlink) this.#setMode(row, handle);
  }

  /** Takes away what a new directory inherited, so that what is made in it inherits nothing. Throws FileError. */
  clearInherited(handle: TargetHandle): void {
    for (const name of this.#files.listAttributes(handle)) {
      const text = Buffer.from(name).toString("latin1");
      if (!ownAttributes.has(text)) this.#files.removeAttribute(handle, name);
    }
  }

  #setOwner(row: number, handle: TargetHandle, freshness: Freshness): void {
    if (!this.#context.settings.ownership) return;
    const uid = this.#plan.uidOf(row);
    const gid = this.#plan.gidOf(row);
    const files = this.#files;
    const isOurs = uid === files.userId && gid === files.groupId;
    if (isOurs && freshness === "new and ours") return;
    if (uid === noId || gid === noId) {
      this.#context.issues.warning("metadata", row, "its owner is no valid user or group");
      return;
    }
    try {
      files.setOwner(handle, uid, gid);
    } catch (error) {
      this.#warn(row, "its owner", error);
    }
  }

  /** Sets the attributes of one of the two groups (see `accessList`), and removes others where there may be some. */
  #setAttributes(
    row: number,
    handle: TargetHandle,
    attributes: readonly NodeAttribute[],
    isLast: boolean,
  ): void {
    const wanted = new Set<string>();
    for (const { name, value } of attributes) {
      const text = Buffer.from(name).toString("latin1");
      wanted.add(text);
      if ((text === accessList) !== isLast) continue;
      try {
        this.#files.setAttribute(handle, name, value);
      } catch (error) {
        this.#warn(row, `its attribute ${showPath(name)}`, error);
      }
    }
    if (!isLast) this.#removeOthers(row, handle, wanted);
  }

  #removeOthers(row: number, handle: TargetHandle, wanted: ReadonlySet<string>): void {
    try {
      for (const name of this.#files.listAttributes(handle)) {
        const text = Buffer.from(name).toString("latin1");
        if (wanted.has(text) || ownAttributes.has(text)) continue;
        this.#files.removeAttribute(handle, name);
      }
    } catch (error) {
      this.#warn(row, "its other attributes", error);
    }
  }

  /** The permissions that a row gets: setuid is for its owner, never for the user who happens to restore. */
  permissionsFor(row: number): number {
    const permissions = this.#plan.permissionsOf(row);
    const isOthers = this.#plan.uidOf(row) !== this.#files.userId;
    return isOthers && !this.#context.settings.ownership ? permissions & ~setIdBits : permissions;
  }

  #setMode(row: number, handle: TargetHandle): void {
    const permissions = this.permissionsFor(row);
    if (permissions !== this.#plan.permissionsOf(row)) {
      const text = "its setuid or setgid bit, for want of its owner";
      this.#context.issues.warning("metadata", row, text);
    }
    try {
      this.#files.setMode(handle, permissions);
    } catch (error) {
      this.#warn(row, "its permissions", error);
    }
  }

  #checkTime(row: number, handle: TargetHandle): void {
    this.#stat.handle(handle);
    if (this.#stat.seconds !== this.#plan.secondsOf(row))
      this.#context.issues.warning(
        "metadata",
        row,
        "its time is beyond what the file system holds",
      );
  }

  #warn(row: number, what: string, error: unknown): void {
    if (!(error instanceof FileError)) throw error;
    const reason = explain(fileError(error, row));
    this.#context.issues.warning("metadata", row, `${what}: ${reason}`);
  }
}
