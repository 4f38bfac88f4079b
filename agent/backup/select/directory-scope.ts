/** One directory of a backup's walk, and which of its entries take part. */
import type { DirectoryListing } from "../../../platform/ports/source-files.ts";
import type { PatternScope, PatternSet } from "../../patterns/pattern-set.ts";
import type { MarkerRule } from "./marker.ts";
import {
  type Device,
  type Identity,
  identityOf,
  isDirectory,
  isIdentity,
  isOnDevice,
  sizeBytesOf,
} from "./record-identity.ts";
import { type RootNode, rootNodeOf } from "./root-tree.ts";

/** Whether an entry takes part, and if not, why. */
export const verdict = {
  taken: 0,
  /** An exclude pattern matches it or a directory above it. */
  pattern: 1,
  /** It is the repository, the cache or another place of Backstay's own. */
  ownPlace: 2,
  /** Its directory is marked, and it is not the marker. */
  marker: 3,
  tooLarge: 4,
  otherFileSystem: 5,
  /** It is no directory, and no mask matches it. */
  mask: 6,
} as const;

export type Verdict = (typeof verdict)[keyof typeof verdict];

/** Why a directory that takes part is stored empty, without being listed. */
export type StopReason = "mount-point" | "loop";

/** Why a marker file did not mark its directory. */
export type MarkerProblem = "unreadable" | "other-header";

/** What all directories of a walk are selected by. */
export interface SelectionRules {
  /** Undefined where there is no such pattern. */
  readonly exact: PatternSet | undefined;
  readonly insensitive: PatternSet | undefined;
  /** What is no directory takes part only if it is matched; undefined where everything does. */
  readonly masks: PatternSet | undefined;
  readonly ownPlaces: PatternSet | undefined;
  readonly ownIdentities: readonly Identity[];
  readonly markers: readonly MarkerRule[];
  readonly largestBytes: number;
  readonly oneFileSystem: boolean;
}

/** What patterns know of a directory; each is undefined where its set is. */
export interface PatternScopes {
  readonly exact: PatternScope | undefined;
  readonly insensitive: PatternScope | undefined;
  readonly masks: PatternScope | undefined;
  readonly ownPlaces: PatternScope | undefined;
}

/** Where a directory lies. */
export interface ScopePlace {
  readonly parent: DirectoryScope | undefined;
  readonly identity: Identity;
  /** The file system of the innermost root that the directory is in. */
  readonly rootDevice: Device;
  /** Set where roots lie in the directory. */
  readonly roots: RootNode | undefined;
}

export class DirectoryScope {
  /** Set if the directory is to be stored as an empty one and not to be listed. */
  readonly stops: StopReason | undefined;
  /** True if the directory lies on another file system than the one above it, or is a root. */
  readonly isOnNewDevice: boolean;
  readonly #rules: SelectionRules;
  readonly #scopes: PatternScopes;
  readonly #place: ScopePlace;
  readonly #isForeign: boolean;
  /** The only name that takes part; empty if none does. Undefined unless the directory is marked. */
  #keptMarker: Uint8Array | undefined;

  constructor(rules: SelectionRules, scopes: PatternScopes, place: ScopePlace, isLoop: boolean) {
    this.#rules = rules;
    this.#scopes = scopes;
    this.#place = place;
    this.isOnNewDevice =
      place.parent === undefined || !isSameDevice(place.identity, place.parent.#place.identity);
    this.#isForeign = rules.oneFileSystem && !isDevice(place.rootDevice, place.identity.device);
    const leadsToRoot = place.roots !== undefined && place.roots.children.size > 0;
    if (isLoop) this.stops = "loop";
    else this.stops = this.#isForeign && !leadsToRoot ? "mount-point" : undefined;
  }

  /** What can be said of the entry `names[start, end)` by its name; if it is taken, its record decides. */
  verdictOfName(names: Uint8Array, start: number, end: number): Verdict {
    const { exact, insensitive, ownPlaces } = this.#scopes;
    if (ownPlaces?.matchesEntry(names, start, end) === true) return verdict.ownPlace;
    if (exact?.matchesEntry(names, start, end) === true) return verdict.pattern;
    if (insensitive?.matchesEntry(names, start, end) === true) return verdict.pattern;
    const kept = this.#keptMarker;
    return kept === undefined || isName(kept, names, start, end) ? verdict.taken : verdict.marker;
  }

  /** What can be said of the entry `names[start, end)` by its stat record, if its name is taken. */
  verdictOfRecord(
    names: Uint8Array,
    start: number,
    end: number,
    record: Uint8Array,
    offset: number,
  ): Verdict {
    const isFolder = isDirectory(record, offset);
    if (isFolder) {
      for (const identity of this.#rules.ownIdentities) {
        if (isIdentity(identity, record, offset)) return verdict.ownPlace;
      }
    } else if (sizeBytesOf(record, offset) > this.#rules.largestBytes) return verdict.tooLarge;
    else if (this.#scopes.masks?.matchesEntry(names, start, end) === false) return verdict.mask;
    if (!this.#rules.oneFileSystem || isOnDevice(this.#place.rootDevice, record, offset)) {
      return verdict.taken;
    }
    // A mount point is kept, so that a restored tree has a place to mount on.
    if (isFolder && !this.#isForeign) return verdict.taken;
    const leadsToRoot = rootNodeOf(this.#place.roots, names, start, end) !== undefined;
    return leadsToRoot ? verdict.taken : verdict.otherFileSystem;
  }

  /** True if the entry `names[start, end)` with this stat record takes part in the backup. */
  takesEntry(
    names: Uint8Array,
    start: number,
    end: number,
    record: Uint8Array,
    offset: number,
  ): boolean {
    return (
      this.verdictOfName(names, start, end) === verdict.taken &&
      this.verdictOfRecord(names, start, end, record, offset) === verdict.taken
    );
  }

  /** The scope of the subdirectory `names[start, end)` with this stat record. */
  enter(
    names: Uint8Array,
    start: number,
    end: number,
    record: Uint8Array,
    offset: number,
  ): DirectoryScope {
    const { exact, insensitive, masks, ownPlaces } = this.#scopes;
    const scopes: PatternScopes = {
      exact: exact?.enter(names, start, end),
      insensitive: insensitive?.enter(names, start, end),
      masks: masks?.enter(names, start, end),
      ownPlaces: ownPlaces?.enter(names, start, end),
    };
    const roots = rootNodeOf(this.#place.roots, names, start, end);
    const place: ScopePlace = {
      parent: this,
      identity: identityOf(record, offset),
      rootDevice: roots?.device ?? this.#place.rootDevice,
      roots,
    };
    return new DirectoryScope(this.#rules, scopes, place, this.#isWithin(record, offset));
  }

  /**
   * Looks for marker files in the directory's listing. If there is one, from then on nothing in the directory takes
   * part but the marker itself, and not even that where markers of different names agree. `readHeader` gives the first
   * bytes of a file, or undefined if it can't be read; `report` hears of each marker that did not mark.
   */
  isMarkedOut(
    listing: Pick<DirectoryListing, "count" | "names" | "offsets">,
    readHeader: (name: Uint8Array, lengthBytes: number) => Uint8Array | undefined,
    report?: (name: Uint8Array, problem: MarkerProblem) => void,
  ): boolean {
    for (const { name, header } of this.#rules.markers) {
      if (!holdsName(listing, name)) continue;
      const found = header.length === 0 ? header : readHeader(name, header.length);
      if (found === undefined) report?.(name, "unreadable");
      else if (!beginsWith(found, header)) report?.(name, "other-header");
      else if (this.#keptMarker === undefined) this.#keptMarker = name;
      else if (!isName(this.#keptMarker, name, 0, name.length)) {
        this.#keptMarker = new Uint8Array(0);
      }
    }
    return this.#keptMarker !== undefined;
  }

  /** True if the record is of this directory or one above it. */
  #isWithin(record: Uint8Array, offset: number): boolean {
    for (let scope: DirectoryScope | undefined = this; scope; scope = scope.#place.parent) {
      if (isIdentity(scope.#place.identity, record, offset)) return true;
    }
    return false;
  }
}

function isSameDevice(a: Identity, b: Identity): boolean {
  return isDevice(a.device, b.device);
}

function isDevice(a: Device, b: Device): boolean {
  return a.low === b.low && a.high === b.high;
}

function isName(name: Uint8Array, names: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    if (name[index] !== names[start + index]) return false;
  }
  return true;
}

function beginsWith(bytes: Uint8Array, header: Uint8Array): boolean {
  return bytes.length >= header.length && isName(header, bytes, 0, header.length);
}

/** Whether a sorted listing holds a name. */
function holdsName(
  listing: Pick<DirectoryListing, "count" | "names" | "offsets">,
  name: Uint8Array,
): boolean {
  let low = 0;
  let high = listing.count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compareName(name, listing, middle);
    if (order === 0) return true;
    if (order < 0) high = middle - 1;
    else low = middle + 1;
  }
  return false;
}

function compareName(
  name: Uint8Array,
  listing: Pick<DirectoryListing, "names" | "offsets">,
  entry: number,
): number {
  const start = listing.offsets[entry];
  const length = listing.offsets[entry + 1] - start;
  for (let index = 0; index < name.length && index < length; index++) {
    const difference = name[index] - listing.names[start + index];
    if (difference !== 0) return difference;
  }
  return name.length - length;
}
