/** What `collect-logs` sends: one compressed JSON document of reports, with nothing in it that is secret. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { uploadBytesMax } from "../../../protocol/control/agent-api.ts";
import { programVersion } from "../../../protocol/program-version.ts";
import type { SessionDetail } from "../../../protocol/session-record.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { DaemonCore } from "../daemon-core.ts";

export interface SupportArchiveParts {
  readonly core: DaemonCore;
  readonly jobs: Pick<Jobs, "sessions" | "session">;
  /** What `backstay status` shows. */
  readonly status: () => object;
  /** Policies with every value that is in force; secrets are named in them, never told. */
  readonly policies: () => object;
}

const sessionsMax = 200;
const failedMax = 10;
const linesMax = 10_000;

/** gzip of JSON. OUTPUT_UNWRITABLE if it is more than a server takes. */
export async function supportArchive(parts: SupportArchiveParts): Promise<Uint8Array> {
  const { core, jobs, status, policies } = parts;
  const { log, options } = core;
  const sessions = jobs.sessions({ limit: sessionsMax });
  const failed = sessions
    .filter(({ outcome }) => outcome === "failure" || outcome === "interrupted")
    .slice(0, failedMax);
  const content = {
    about: {
      program: `backstay ${programVersion}`,
      hostName: options.hostName,
      timeMs: options.clock.now(),
    },
    status: status(),
    policies: policies(),
    sessions,
    failed: failed.map(({ id }) => countedIssues(jobs.session(id))),
    log: log.read(linesMax).lines,
  };
  // Names of backed up files stay out: issues are counted only. Lines of the log are without secrets already.
  const text = JSON.stringify(content, (_, value: unknown) =>
    typeof value === "string" ? log.redaction.text(value) : value,
  );
  const bytes = await promisify(gzip)(text);
  if (bytes.length > uploadBytesMax)
    throw new BackstayError("OUTPUT_UNWRITABLE", { problem: `it has ${bytes.length} bytes` });
  return bytes;
}

function countedIssues(detail: SessionDetail | undefined): object {
  const byCode: Record<string, number> = {};
  for (const { code } of detail?.issues ?? []) byCode[code] = (byCode[code] ?? 0) + 1;
  return { id: detail?.session.id, byCode };
}
