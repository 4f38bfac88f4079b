/** A service for trials on Windows: adds a line to the file of its last argument for everything that happens to it. */
import { appendFileSync } from "node:fs";
import { openServiceControl } from "../../platform/open-service-control.ts";
import { openSystemEvents } from "../../platform/open-system-events.ts";

const file = process.argv.at(-1) ?? "";
const note = (line: string): void => appendFileSync(file, `${line}\n`);

const service = openServiceControl(process.env);
const events = openSystemEvents(process.env);
note(`kind ${service.kind}`);
service.onRequest((request) => {
  note(request);
  if (request === "reload") return;
  service.stopping(5_000);
  void events.stop().then(() => service.stopped());
});
const probes = await events.start(({ kind }) => note(`event ${kind}`));
for (const [name, { available, reason }] of probes) note(`${name} ${available} ${reason}`);
service.ready("idle");
