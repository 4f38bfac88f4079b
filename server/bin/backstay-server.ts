/** The `backstay-server` program; its launcher picks the Node that runs it. */
import { runServerProgram } from "../cli/main.ts";

await runServerProgram(process.env);
