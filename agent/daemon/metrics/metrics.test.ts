import { get } from "node:http";
import { describe, expect, it } from "vitest";
import type { StatusFacts } from "../../../protocol/local-api/status.ts";
import type { SessionRecord } from "../../../protocol/session-record.ts";
import { daemonMetrics, SessionCounters } from "./daemon-metrics.ts";
import { MetricsServer } from "./metrics-server.ts";
import { metricsText } from "./metrics-text.ts";

const session: SessionRecord = {
  id: "0123456789abcdef",
  policy: "documents",
  kind: "backup",
  cause: { kind: "schedule", text: "every day at 22:30" },
  attempt: 1,
  priority: 0,
  repository: "/mnt",
  state: "finished",
  queuedMs: 1_000_000,
  startedMs: 2_000_000,
  finishedMs: 2_060_000,
  outcome: "failure",
  issues: 0,
  scripts: [],
};
const facts: StatusFacts = {
  timeMs: 200_000_000,
  agent: { version: "1.2.3", hostName: "h", mode: "standalone", processId: 1, startMs: 5_000 },
  policies: [
    {
      name: "documents",
      kind: "server",
      enabled: true,
      maximumAgeMs: 86_400_000,
      appliedMs: 0,
      lastEnded: session,
      failuresSinceGood: 3,
      next: { reason: "only by hand" },
      destination: { place: "/mnt", route: "direct", reachable: false },
    },
  ],
  running: [],
  waiting: [],
  pauses: [],
  conditions: [],
};
const figures = { residentBytes: 1, cpuSeconds: 2, messagesWaiting: 3, messagesDropped: 4 };

describe("metrics", () => {
  it("escapes labels and help, and leaves out what has no value", () => {
    const samples = [{ labels: { name: 'a "b"\\\n' }, value: 1.5 }];
    expect(
      metricsText([
        { name: "x", kind: "gauge", help: "one\ntwo", samples },
        { name: "y", kind: "counter", help: "none", samples: [] },
      ]),
    ).toBe('# HELP x one\\ntwo\n# TYPE x gauge\nx{name="a \\"b\\"\\\\\\n"} 1.5\n');
  });

  it("tell how old backups are, what failed, and how the agent is", () => {
    const counters = new SessionCounters();
    counters.ended(session);
    counters.ended(session);
    const lines = daemonMetrics(facts, counters, figures).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        'backup_overdue{policy="documents"} 1',
        'backup_failures_since_success{policy="documents"} 3',
        'backup_destination_up{policy="documents"} 0',
        'backup_last_attempt_timestamp_seconds{policy="documents"} 2060',
        'backup_runs_total{policy="documents",outcome="failure"} 2',
        'backup_run_seconds_total{policy="documents",outcome="failure"} 120',
        'backstay_condition{code="BACKUP_TOO_OLD",subject="documents",severity="error"} 1',
        "backstay_health 2",
        "backstay_messages_waiting 3",
      ]),
    );
    expect(lines.filter((line) => line.startsWith("backup_last_success"))).toEqual([]);
  });

  it("are served to this machine alone, and only to who asks for it by its own name", async () => {
    const server = new MetricsServer(() => "x 1\n");
    const port = await server.listen("127.0.0.1:0");
    const ask = (path: string, host: string): Promise<{ status: number; text: string }> =>
      new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port, path, headers: { host } }, (response) => {
          let text = "";
          response.on("data", (piece: Buffer) => (text += piece.toString()));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        }).on("error", reject);
      });
    expect(await ask("/metrics", `127.0.0.1:${port}`)).toEqual({ status: 200, text: "x 1\n" });
    expect((await ask("/", `localhost:${port}`)).status).toBe(404);
    expect((await ask("/metrics", "evil.example")).status).toBe(403);
    await server.close();
    await expect(ask("/metrics", "localhost")).rejects.toThrow();
  });
});
