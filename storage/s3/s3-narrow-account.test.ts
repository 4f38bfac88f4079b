/** An account that may list below its own prefix only: Amazon tells it of what is not there as of what is forbidden. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { answer, ScriptedServer } from "../../test/rest/scripted-server.ts";
import type { Handle, ObjectStore } from "../object-store.ts";
import { openS3Store } from "./s3-store.ts";

const never = new AbortController().signal;
const environment = { AWS_ACCESS_KEY_ID: "testId", AWS_SECRET_ACCESS_KEY: "testSecret" };
const config: Handle = { type: "config", name: "" };

let server: ScriptedServer;
let store: ObjectStore;
beforeEach(async () => {
  server = await ScriptedServer.start(() => undefined);
  store = openS3Store(`http://${server.host}/bucket/p`, { environment });
});
afterEach(async () => {
  await store.close();
  await server.stop();
});

const xml = ["content-type: application/xml"];
const denied = answer(403, "<Error><Code>AccessDenied</Code></Error>", xml);

it.each([
  ["is told that there is none where the list has none", "p/config-of-another", undefined],
  ["is refused where the list has one", "p/config", "STORE_DENIED"],
])("%s", async (_what, listed, code) => {
  const list = `<ListBucketResult><Contents><Key>${listed}</Key><Size>1</Size></Contents></ListBucketResult>`;
  server.script = (head) => {
    if (head.startsWith("HEAD ")) return answer(403);
    return head.includes("list-type=2") ? answer(200, list, xml) : denied;
  };
  const asked = store.stat(config, never);
  if (code === undefined) expect(await asked).toBeUndefined();
  else await expect(asked).rejects.toMatchObject({ code });
});

it("is refused where it may not list either", async () => {
  server.script = (head) => (head.startsWith("HEAD ") ? answer(403) : denied);
  await expect(store.stat(config, never)).rejects.toMatchObject({ code: "STORE_DENIED" });
});
