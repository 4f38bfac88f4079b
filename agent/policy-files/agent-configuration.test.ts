/** The agent's own configuration file. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { agentConfiguration } from "../../protocol/policy/guard-rails.ts";
import { loadConfiguration } from "./agent-configuration.ts";

const folder = mkdtempSync(path.join(tmpdir(), "backstay-configuration-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, "agent.yaml");

it("everything is as usual without a file, or with an empty one", async () => {
  const usual = agentConfiguration.parse({});
  expect(await loadConfiguration(folder)).toEqual(usual);
  for (const text of ["", "# nothing\n", "guardRails: {}\n"]) {
    writeFileSync(file, text, { mode: 0o600 });
    expect(await loadConfiguration(folder)).toEqual(usual);
  }
});

it("reads guard rails", async () => {
  writeFileSync(
    file,
    "guardRails:\n  destinations: [/mnt/backup]\n  scripts: []\n  memory: 1 GiB\n",
  );
  expect(await loadConfiguration(folder)).toMatchObject({
    guardRails: { destinations: ["/mnt/backup"], scripts: [], memory: 2 ** 30 },
  });
});

it.each([
  ["guardrails: {}\n", 1, "guardrails is not a known field"],
  [
    "guardRails:\n  memory: 1 GB\n",
    2,
    "guardRails.memory must be a size such as 500 MiB or 1.5 GiB",
  ],
  ["a: [\n", 2, "Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ["guardRails: {}\n---\nguardRails: {}\n", 3, "holds a second document, where one is expected"],
])("refuses %j", async (text, line, problem) => {
  writeFileSync(file, text);
  await expect(loadConfiguration(folder)).rejects.toMatchObject({
    code: "CONFIGURATION_INVALID",
    context: { file, line, problem },
  });
});

it("trusts no file that others can change", async () => {
  writeFileSync(file, "guardRails: {}\n");
  chmodSync(file, 0o646);
  await expect(loadConfiguration(folder)).rejects.toMatchObject({
    context: { problem: expect.stringContaining("can be changed by other users") },
  });
});
