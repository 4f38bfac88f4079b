/** The `backstay` program; its launcher picks the Node that runs it. */
import { runProgram } from "../cli/main.ts";

await runProgram();
