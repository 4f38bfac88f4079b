/** Drives where no adapter knows this system: none are seen, none can be ejected. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { MountedFileSystem, RemovableMedia } from "../ports/removable-media.ts";

export class PortableRemovableMedia implements RemovableMedia {
  mounted(): Promise<readonly MountedFileSystem[]> {
    return Promise.resolve([]);
  }

  eject(path: string): Promise<void> {
    const reason = "not supported on this system yet";
    return Promise.reject(new BackstayError("EJECT_FAILED", { path, reason }));
  }
}
