/**
 * A service that does nothing but speak with its manager. Prints a line of JSON about itself, then one line for each wish
 * as it comes: `reload`, `stop`.
 */
import { spawnSync } from "node:child_process";
import { openServiceControl } from "../../platform/open-service-control.ts";

const service = openServiceControl(process.env);
const alive = setInterval(() => service.alive(), 50);
service.onRequest(() => console.log("never"));
service.onRequest((request) => {
  console.log(request);
  if (request === "reload") {
    service.reloading();
    service.ready("read again");
  } else {
    service.stopping(1500);
    service.stopping(2500);
    clearInterval(alive);
    service.stopped();
  }
});
const childEnvironment = spawnSync("env", { encoding: "utf8" }).stdout;
console.log(
  JSON.stringify({
    kind: service.kind,
    watchdogMs: service.watchdogMs ?? null,
    processId: process.pid,
    childVariables: childEnvironment.match(/^(?:NOTIFY|WATCHDOG)_\w+/gm) ?? [],
  }),
);
service.status("starting\nREADY=1");
service.ready("idle");
service.status("idle");
service.status("busy: ünïcode");
