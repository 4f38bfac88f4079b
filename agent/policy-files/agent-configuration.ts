/** The agent's own configuration: `agent.yaml` in the folder of its configuration. */
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { AgentConfiguration } from "../../protocol/policy/guard-rails.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { readConfiguration } from "../policy/read-configuration.ts";
import { readTrustedFile } from "./trusted-file.ts";

/**
 * The configuration; as usual in everything if there is no file. Rejects with CONFIGURATION_INVALID: what the owner of
 * the machine forbids must not be forgotten because of a slip.
 */
export async function loadConfiguration(folder: string): Promise<AgentConfiguration> {
  const file = path.join(folder, "agent.yaml");
  let content: Uint8Array;
  try {
    content = await readTrustedFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ("code" in error && error.code === "ENOENT") content = new Uint8Array(0);
    else throw new BackstayError("CONFIGURATION_INVALID", { file, problem: error.message }, error);
  }
  const reading = readConfiguration(content);
  if (reading.kind === "read") return reading.configuration;
  const [{ line, path: setting, problem }] = reading.mistakes;
  throw new BackstayError("CONFIGURATION_INVALID", {
    file,
    line,
    problem: `${settingText(setting)} ${problem}`.trim(),
  });
}
