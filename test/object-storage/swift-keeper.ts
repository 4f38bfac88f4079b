/** Keeps the Swift that the files of a test run share. */
import { keepServer } from "./kept-server.ts";
import { startSwift, stopSwift } from "./swift.ts";

await keepServer(startSwift, stopSwift);
