/**
 * What tells a machine from others, and from its copies. Each is read as the system has it; undefined where it has none or
 * this process may not see it. They are hints: makers repeat "unique" numbers, and repairs change them.
 */
export interface MachineMarks {
  /** Made when the system was installed. */
  readonly system: string | undefined;
  /** Of the board or the virtual machine. */
  readonly hardware: string | undefined;
  /** Of the file system that the machine starts from. */
  readonly disk: string | undefined;
  /** Hardware address of a network interface that is built in. */
  readonly network: string | undefined;
}

export interface MachineMarkReader {
  /** Never rejects; may ask programs of the system, which takes up to seconds. */
  read(): Promise<MachineMarks>;
}
