/** Keeps the Ceph gateway that the files of a test run share. */
import { keepServer } from "./kept-server.ts";
import { startRadosgw, stopRadosgw } from "./radosgw.ts";

await keepServer(startRadosgw, ({ folder }) => stopRadosgw(folder));
