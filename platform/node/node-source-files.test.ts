import { describeSourceFiles } from "../ports/source-files-contract.ts";
import { NodeSourceFiles } from "./node-source-files.ts";

describeSourceFiles("Node", () => new NodeSourceFiles());
