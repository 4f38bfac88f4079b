/** What no engine can do yet is refused with its path; everything else is taken. */
import { expect, it } from "vitest";
import { policy } from "../../protocol/policy/policy.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { unsupportedSettings } from "./engine-support.ts";

const least = {
  version: 1,
  name: "documents",
  source: { paths: ["/srv/documents"] },
  destination: { repository: "/mnt/backup" },
  encryption: { password: { secret: "repository" } },
};

const unsupported = (changes: object): string[] =>
  unsupportedSettings(policy.parse({ ...least, ...changes })).map(
    ({ path, problem }) => `${settingText(path)} ${problem}`,
  );

it("takes a policy for files into a folder, with every rule of schedules, limits and scope", () => {
  expect(
    unsupported({
      kind: "server",
      source: {
        paths: ["/srv"],
        personalFiles: { otherFiles: true },
        exclude: ["*.tmp"],
        includeMasks: ["*.odt"],
        excludeCaches: true,
        oneFileSystem: true,
      },
      destination: { repository: "local:/mnt/backup", create: false },
      compression: "max",
      schedule: { timers: [{ every: "continuous" }], events: ["lock"], wake: true },
      scripts: { preJob: { command: ["/bin/true"] }, postJob: { command: ["/bin/true"] } },
      limits: { uploadPerSecond: "1 MiB", memory: "1 GiB" },
    }),
  ).toEqual([]);
});

it("takes locks and classes where the storage has them", () => {
  const immutability = { mode: "governance", days: 7 };
  for (const [repository, storageClass] of [
    ["s3:https://host/bucket", "GLACIER_IR"],
    ["azure:container:/", "Cool"],
    ["gs:bucket:/", "ARCHIVE"],
  ])
    expect(unsupported({ destination: { repository, immutability, storageClass } })).toEqual([]);
});

it.each([
  [{ source: { mode: "volumes", volumes: ["/"] } }, "source.mode volumes is"],
  [{ source: { mode: "entire-computer" } }, "source.mode entire-computer is"],
  [
    { destination: { repository: "sftp:host:/" } },
    "destination.repository is storage of the kind sftp",
  ],
  [
    {
      destination: { repository: "/mnt", immutability: { mode: "compliance", days: 30 } },
    },
    "destination.immutability objects can't be locked",
  ],
  [
    { destination: { repository: "rest:https://host/", storageClass: "STANDARD_IA" } },
    "destination.storageClass behind a server of the REST protocol its own settings choose the class",
  ],
  [
    { destination: { repository: "s3:https://host/bucket", storageClass: "DEEP_ARCHIVE" } },
    "destination.storageClass what lies in DEEP_ARCHIVE can't be read at once",
  ],
  [
    { destination: { repository: "backstay:0af3" } },
    "destination.repository is a repository of a management server",
  ],
  [
    { destination: { repository: "/mnt", routes: ["direct", "gateway"] } },
    "destination.routes[1] gateway is",
  ],
  [
    { destination: { repository: "/mnt", credentials: { secret: "x" } } },
    "destination.credentials have no effect",
  ],
  [{ retention: {} }, "retention is"],
  [{ retention: { gfs: { yearly: { keep: 5 } } } }, "retention is"],
  [{ backupCache: { enabled: true } }, "backupCache.enabled is"],
  [{ notifications: { desktop: true } }, "notifications.desktop is"],
  [{ scripts: { preFreeze: { command: ["/bin/true"] } } }, "scripts.preFreeze is"],
  [{ scripts: { postThaw: { command: ["/bin/true"] } } }, "scripts.postThaw is"],
])("refuses %j", (changes, objection) => {
  expect(unsupported(changes)).toEqual([expect.stringContaining(objection)]);
});
