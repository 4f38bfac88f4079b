/** The engine program; only the daemon starts it. */
import { runEngineProcess } from "../engine/engine-process.ts";

await runEngineProcess();
