/** Marks of a machine for tests: what they are set to. */
import type { MachineMarkReader, MachineMarks } from "../ports/machine-marks.ts";

export class FakeMachineMarks implements MachineMarkReader {
  marks: MachineMarks;

  /** A machine whose marks all hold its name. */
  constructor(name: string) {
    this.marks = {
      system: `${name} system`,
      hardware: `${name} hardware`,
      disk: `${name} disk`,
      network: `${name} network`,
    };
  }

  async read(): Promise<MachineMarks> {
    return this.marks;
  }
}
