/** Picks what tells this machine from others. */
import { DarwinMachineMarks } from "./darwin/machine-marks.ts";
import { LinuxMachineMarks } from "./linux/machine-marks.ts";
import type { MachineMarkReader } from "./ports/machine-marks.ts";
import { WindowsMachineMarks } from "./windows/machine-marks.ts";

/** `environment` is the service's. */
export function openMachineMarks(
  environment: Readonly<Record<string, string | undefined>>,
): MachineMarkReader {
  switch (process.platform) {
    case "win32":
      return new WindowsMachineMarks({ systemDrive: environment["SystemDrive"] ?? "C:" });
    case "darwin":
      return new DarwinMachineMarks();
    default:
      return new LinuxMachineMarks();
  }
}
