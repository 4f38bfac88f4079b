/** The `backstayd` program; its launcher picks the Node that runs it. */
import { fileURLToPath } from "node:url";
import { runBackstayd } from "../daemon/backstayd-program.ts";

const engineFile = fileURLToPath(new URL("./engine.ts", import.meta.url));
process.exit(await runBackstayd(process.env, engineFile));
