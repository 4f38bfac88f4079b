/** What a backup shows, for people on a terminal and for programs. */
import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RequestCounts } from "../../storage/request-counts.ts";
import type { BackupProgress, BackupSummary } from "../backup/backup-request.ts";
import type { GlobalOptions } from "./global-options.ts";
import { backupView } from "./progress-backup.ts";
import { Screen } from "./screen.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

const usual: GlobalOptions = {
  repository: undefined,
  repositoryFile: undefined,
  password: { file: undefined, command: undefined, none: false },
  cacheRoot: undefined,
  lock: true,
  lockWaitMs: 0,
  uploadLimit: undefined,
  downloadLimit: undefined,
  compression: "auto",
  json: false,
  quiet: false,
  verbosity: 0,
};

const progress: BackupProgress = {
  filesDone: 5,
  bytesDone: 512 * 1024,
  filesTotal: 10,
  bytesTotal: 1024 * 1024,
  currentFiles: ["/srv/a", "/srv/evil\u001b[2J"],
  issues: 1,
  elapsedMs: 5000,
};

const summary: BackupSummary = {
  snapshotId: "ab".repeat(32),
  parentId: undefined,
  filesNew: 1,
  filesChanged: 2,
  filesUnmodified: 3,
  dirsNew: 4,
  dirsChanged: 5,
  dirsUnmodified: 6,
  dataBlobs: 7,
  treeBlobs: 8,
  dataAdded: 9,
  dataAddedPacked: 10,
  totalFilesProcessed: 6,
  totalBytesProcessed: 2048,
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_002_500,
  issues: 0,
  bytesRead: 11,
  bytesStored: 12,
  packsRecovered: 0,
};

function stage(globals: Partial<GlobalOptions>, isTerminal: boolean) {
  const log = { out: "", err: "" };
  const stream = (name: "out" | "err"): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        log[name] += chunk.toString();
        done();
      },
    });
  const stdout = Object.assign(
    stream("out"),
    isTerminal ? { isTTY: true, columns: 100, rows: 24 } : {},
  );
  const screen = new Screen({ stdout, stderr: stream("err"), terminal: "xterm" });
  const view = backupView(screen, { ...usual, ...globals }, false);
  return { screen, view, log };
}

describe("on a terminal", () => {
  it("one line tells how far it is, others what is read", () => {
    const { view, log } = stage({}, true);
    view.events.progress?.({ ...progress, bytesDone: 0, elapsedMs: 0 });
    view.events.progress?.(progress);
    vi.advanceTimersByTime(100);
    view.stop();
    expect(log.out).toContain(
      "[0:05]  50.00%  512.0 KiB of 1.0 MiB  102.4 KiB/s  ETA 0:05  5/10 files  1 error\n",
    );
    expect(log.out).toContain('"/srv/evil\\x1b[2J"');
  });

  it("is drawn ten times a second at most", () => {
    const { view, log } = stage({}, true);
    view.events.progress?.(progress);
    vi.advanceTimersByTime(1000);
    view.stop();
    vi.advanceTimersByTime(1000);
    expect(log.out.match(/\[0:05\]/g)).toHaveLength(10);
  });

  it("nothing is drawn when it is to be quiet", () => {
    const { view, log } = stage({ quiet: true }, true);
    view.events.progress?.(progress);
    vi.advanceTimersByTime(1000);
    view.finish(summary);
    expect(log.out).toBe("");
  });
});

it("elsewhere only issues and the result are shown", async () => {
  const { screen, view, log } = stage({ verbosity: 1 }, false);
  view.events.progress?.(progress);
  vi.advanceTimersByTime(1000);
  view.events.issue?.({
    path: "/srv/\u0007",
    during: "archival",
    code: "EIO",
    message: "i/o error",
  });
  view.finish(summary);
  await screen.settle();
  expect(log.err).toBe('error: "/srv/\\a": i/o error\n');
  expect(log.out).toContain("Files:           1 new,     2 changed,     3 unmodified\n");
  expect(log.out).toContain("Data Blobs:      7 new\n");
  expect(log.out).toContain("processed 6 files, 2.000 KiB in 0:02\n");
  expect(log.out).toContain("snapshot abababab saved\n");
});

describe("in JSON", () => {
  it("status, error and summary are restic's", async () => {
    const { screen, view, log } = stage({ json: true }, false);
    view.events.progress?.({
      ...progress,
      bytesDone: 0,
      elapsedMs: 0,
      issues: 0,
      currentFiles: [],
    });
    vi.advanceTimersByTime(100);
    view.events.progress?.(progress);
    vi.advanceTimersByTime(500);
    view.events.issue?.({ path: "/x", during: "scan", code: "EACCES", message: "denied" });
    view.finish(summary);
    await screen.settle();
    const lines = log.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toEqual([
      {
        message_type: "status",
        percent_done: 0,
        total_files: 10,
        files_done: 5,
        total_bytes: 1048576,
      },
      {
        message_type: "status",
        seconds_elapsed: 5,
        seconds_remaining: 5,
        percent_done: 0.5,
        total_files: 10,
        files_done: 5,
        total_bytes: 1048576,
        bytes_done: 524288,
        error_count: 1,
        current_files: progress.currentFiles,
      },
      {
        message_type: "summary",
        files_new: 1,
        files_changed: 2,
        files_unmodified: 3,
        dirs_new: 4,
        dirs_changed: 5,
        dirs_unmodified: 6,
        data_blobs: 7,
        tree_blobs: 8,
        data_added: 9,
        data_added_packed: 10,
        total_files_processed: 6,
        total_bytes_processed: 2048,
        total_duration: 2.5,
        backup_start: "2023-11-14T22:13:20.000Z",
        backup_end: "2023-11-14T22:13:22.500Z",
        snapshot_id: "ab".repeat(32),
        bytes_read: 11,
        bytes_stored: 12,
      },
    ]);
    expect(JSON.parse(log.err)).toEqual({
      message_type: "error",
      error: { message: "denied", code: "EACCES" },
      during: "scan",
      item: "/x",
    });
  });
});

it("what was asked of the storage is told where there are requests", async () => {
  const counts = new RequestCounts();
  counts.request("put", 5 * 1024 * 1024);
  counts.request("put", 1024 * 1024);
  counts.request("list");
  counts.received(2048);
  const forPeople = stage({ verbosity: 1 }, false);
  forPeople.view.finish(summary, counts.sums);
  const terse = stage({}, false);
  terse.view.finish(summary, counts.sums);
  const forPrograms = stage({ json: true }, false);
  forPrograms.view.finish(summary, counts.sums);
  for (const { screen } of [forPeople, terse, forPrograms]) await screen.settle();
  expect(forPeople.log.out).toContain(
    "Requests:    2 put, 1 list; 6.000 MiB sent, 2.000 KiB received\n",
  );
  expect(terse.log.out).not.toContain("Requests");
  expect(JSON.parse(forPrograms.log.out)).toMatchObject({
    requests: { put: 2, get: 0, list: 1, head: 0, delete: 0, other: 0 },
    request_bytes_up: 6 * 1024 * 1024,
    request_bytes_down: 2048,
  });
});
