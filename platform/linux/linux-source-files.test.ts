import { describeSourceFiles } from "../ports/source-files-contract.ts";
import { LinuxSourceFiles } from "./linux-source-files.ts";

describeSourceFiles("Linux", () => new LinuxSourceFiles());
