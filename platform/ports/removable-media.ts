/** Drives that come and go. */

export interface MountedFileSystem {
  readonly path: string;
  /** UUID or serial of the file system, where it has one. */
  readonly id: string | undefined;
  readonly removable: boolean | undefined;
  readonly isNetwork: boolean;
}

export interface RemovableMedia {
  mounted(): Promise<readonly MountedFileSystem[]>;
  /** Flushes, unmounts and powers off the drive that holds `path`. EJECT_FAILED says who holds it. */
  eject(path: string): Promise<void>;
}
