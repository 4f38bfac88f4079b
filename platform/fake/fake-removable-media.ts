/** Drives for tests. */
import type { MountedFileSystem, RemovableMedia } from "../ports/removable-media.ts";

export class FakeRemovableMedia implements RemovableMedia {
  readonly ejected: string[] = [];
  drives: readonly MountedFileSystem[] = [];
  /** Set to make `eject` fail. */
  failure: Error | undefined;

  async mounted(): Promise<readonly MountedFileSystem[]> {
    return this.drives;
  }

  async eject(path: string): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.ejected.push(path);
  }
}
