/** A lock that one process of this machine holds at a time, and that ends with the process however it ends. */

export interface InstanceLock {
  /** Harmless if called twice. */
  release(): void;
}
