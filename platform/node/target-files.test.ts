/** The generic adapter of the target port keeps the contract, as far as Node goes. */
import { describeTargetFiles } from "../target-files-contract.ts";
import { NodeTargetFiles } from "./target-files.ts";

describeTargetFiles("NodeTargetFiles", () => new NodeTargetFiles());
