/** Policies are read as people write them, and every mistake is named with its place. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { policyTextLimits } from "../../protocol/policy/policy-text.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { type PolicyReading, readPolicies } from "./read-policies.ts";

const least = `version: 1
name: documents
source:
  paths: [/srv/documents]
destination:
  repository: /mnt/backup
encryption:
  password: { secret: repository }
`;

function read(text: string): PolicyReading[] {
  return readPolicies(Buffer.from(text));
}

/** The mistakes of a text of one document, as `line:column setting problem`. */
function mistakes(text: string): string[] {
  const [reading, ...others] = read(text);
  expect(others).toEqual([]);
  if (reading.kind === "read") return [];
  return reading.mistakes.map(({ line, column, path, problem }) =>
    `${line}:${column} ${settingText(path)} ${problem}`.replace("  ", " "),
  );
}

describe("readPolicies", () => {
  it("puts every default in place and keeps the document as it is written", () => {
    const [reading] = read(least);
    expect(reading).toMatchObject({
      kind: "read",
      name: "documents",
      text: least,
      document: { version: 1, source: { paths: ["/srv/documents"] } },
      policy: {
        kind: "workstation",
        source: { mode: "files", missingPath: "warning" },
        limits: { duration: 21 * 86_400_000, network: { metered: "deny" } },
        schedule: { timers: [], missed: { tolerance: 900_000 } },
      },
    });
    if (reading.kind !== "read") throw new Error("was refused");
    expect(reading.document).not.toHaveProperty("limits");
    expect(reading.policy.retention).toBeUndefined();
  });

  it("reads JSON, with tabs and a byte order mark too", () => {
    const [reading] = read(least);
    if (reading.kind !== "read") throw new Error("was refused");
    const json = `\ufeff${JSON.stringify(reading.document, null, "\t")}`;
    expect(read(json)).toMatchObject([{ kind: "read", policy: reading.policy }]);
  });

  it("reads several documents, each with its text and lines of the whole", () => {
    const second = least.replace("name: documents", "# mine\nname: pictures\nkind: server");
    const third = least.replace("name: documents", "name: Bad Name");
    const readings = read(`${least}---\n${second}...\n---\n# nothing here\n---\n${third}`);
    expect(readings.map(({ kind, name }) => [kind, name])).toEqual([
      ["read", "documents"],
      ["read", "pictures"],
      ["refused", "Bad Name"],
    ]);
    expect(readings[1]).toMatchObject({ text: expect.stringContaining("# mine\nname: pictures") });
    expect(readings[2]).toMatchObject({ mistakes: [{ line: 25, column: 1, path: ["name"] }] });
  });

  it("takes only words of today's YAML for true and false", () => {
    const [reading] = read(
      `${least}compression: off\nschedule:\n  timers: [{ every: day, at: 22:30 }]\n`,
    );
    expect(reading).toMatchObject({
      policy: { compression: "off", schedule: { timers: [{ every: "day", at: 1350 }] } },
    });
  });

  it("follows aliases, and finds mistakes behind them", () => {
    const text = `${least}limits: { duration: &time 1 hour }\nobjective: { maximumAge: *time }\n`;
    const wanted = "must be a duration such as 30m, 4h or 1d 12h";
    expect(mistakes(text)).toEqual([
      `9:11 limits.duration ${wanted}`,
      `10:14 objective.maximumAge ${wanted}`,
    ]);
  });

  it.each([
    ["", "1:1 holds no policy"],
    ["# only this\n---\n", "1:1 holds no policy"],
    ["hello", "1:1 must be a group of fields"],
    ["- a\n- b\n", "1:1 must be a group of fields"],
    ["a: 1\n a: 2\n", "1:4 Nested mappings are not allowed in compact mappings"],
    ["a: 1\na: 2\n", "2:1 Map keys must be unique"],
    ["a: !secret x\n", "1:4 Unresolved tag: !secret"],
    ["a: [&b x, *c]\n", "1:1 Unresolved alias (the anchor must be set before the alias): c"],
  ])("refuses %j", (text, mistake) => {
    expect(mistakes(text)[0]).toBe(mistake);
  });

  it.each([
    ["colour: red", "9:1 colour is not a known field"],
    ["kind: laptop", "9:1 kind must be one of workstation, server"],
    ["priority: high", "9:1 priority must be a number"],
    ["priority: 1000", "9:1 priority must be at most 100"],
    ["enabled: maybe", "9:1 enabled must be true or false"],
    ["limits:\n  metered: deny", "10:3 limits.metered is not a known field"],
    [
      "schedule:\n  timers:\n    - every: fortnight",
      "11:7 schedule.timers[0].every must be one of day, month, interval, cron, continuous, after-policy",
    ],
    ["schedule:\n  timers:\n    - every: day", "11:7 schedule.timers[0].at is missing"],
    [
      "schedule:\n  timers:\n    - { every: month, at: 03:00, day: 32 }",
      "11:34 schedule.timers[0].day must be at most 31",
    ],
    [
      "schedule:\n  timers:\n    - { every: cron, expression: '61 * * * *' }",
      `11:22 schedule.timers[0].expression has a field for the minute that can't be read: "61"`,
    ],
    [
      "schedule:\n  timers:\n    - { every: month, at: 03:00, day: 31, months: [2] }",
      "11:7 schedule.timers[0] never comes: on the 31st of February at 03:00",
    ],
    [
      "schedule: { timeZone: Mars/Olympus }",
      "9:13 schedule.timeZone must be the name of a time zone such as Europe/Berlin",
    ],
    [
      "scripts: { preJob: { command: [backup.sh] } }",
      "9:22 scripts.preJob.command must begin with the absolute path of a program",
    ],
    [
      "retention: { gfs: { weekly: { keep: 0 } } }",
      "9:31 retention.gfs.weekly.keep must be at least 1",
    ],
    ["tags: ['a,b']", "9:8 tags[0] must not be empty or hold a comma"],
    [
      "notifications: { webhook: { url: 'file:///etc' } }",
      "9:29 notifications.webhook.url must be an http or https address",
    ],
  ])("refuses %j with its place", (addition, mistake) => {
    expect(mistakes(`${least}${addition}\n`)).toEqual([mistake]);
  });

  it.each([
    ["paths: [/srv/documents]", "paths: [srv]", "4:11 source.paths[0] must be an absolute path"],
    [
      "paths: [/srv/documents]",
      "paths: [/srv/../etc]",
      "4:11 source.paths[0] must not go up by `..`",
    ],
    [
      "paths: [/srv/documents]",
      "paths: []",
      "3:1 source names nothing to back up: give paths or personalFiles",
    ],
    [
      "paths: [/srv/documents]",
      "mode: volumes",
      "3:1 source needs either volumes or excludeVolumes with mode volumes",
    ],
    [
      "paths: [/srv/documents]",
      "paths: [/srv]\n  volumes: [/]",
      "5:3 source.volumes has no effect with mode files",
    ],
    [
      "paths: [/srv/documents]",
      "mode: entire-computer\n  paths: [/]",
      "5:3 source.paths has no effect with mode entire-computer",
    ],
    [
      "paths: [/srv/documents]",
      "paths: [/srv]\n  exclude: ['../x']",
      "5:13 source.exclude[0] is no pattern that can be used: it begins with `..`, but patterns are compared with full paths",
    ],
    [
      "paths: [/srv/documents]",
      "paths: [/srv]\n  excludeIfPresent: [a/b]",
      "5:22 source.excludeIfPresent[0] must be NAME or NAME:HEADER",
    ],
    [
      "repository: /mnt/backup",
      "repository: backup",
      "6:3 destination.repository must be the absolute path of a folder, or an address such as s3:…",
    ],
    [
      "repository: /mnt/backup",
      "repository: local:backup",
      "6:3 destination.repository must be the absolute path of a folder, or an address such as s3:…",
    ],
    [
      "repository: /mnt/backup",
      "repository: rest:https://me:it@host/",
      "6:3 destination.repository must not hold a password: name a secret in credentials",
    ],
    ["name: documents\n", "", "1:1 name is missing"],
    ["version: 1\n", "", "1:1 version must be 1"],
    ["version: 1", "version: one", "1:1 version must be 1"],
  ])("refuses %j as %j", (before, after, mistake) => {
    expect(mistakes(least.replace(before, after))).toEqual([mistake]);
  });

  it.each([
    `\${home}/x`,
    `/\${user.home}`,
    `\${user.home}x`,
    `\${env.}`,
    `/\${env.A-B}`,
    `/a/\${x}`,
  ])("knows no variable in %s", (path) => {
    const text = least.replace("[/srv/documents]", JSON.stringify([path]));
    expect(mistakes(text).join()).toContain("has a variable that does not exist");
  });

  it.each([
    `\${user.home}`,
    `\${user.home}/Documents`,
    `\${env.DATA}/x`,
    `/srv/\${env.A_1}/b`,
    "C:\\Data",
  ])("takes the path %s", (path) => {
    expect(mistakes(least.replace("[/srv/documents]", JSON.stringify([path])))).toEqual([]);
  });

  it("says of a newer version which of its fields it does not know", () => {
    const text = `${least.replace("version: 1", "version: 7")}cloud: { speed: 9 }\nlimits: { cpu: 3 }\nkind: mainframe\n`;
    expect(read(text)).toMatchObject([
      { kind: "refused", code: "POLICY_NEWER", name: "documents" },
    ]);
    expect(mistakes(text)).toEqual([
      "1:1 version is newer than 1, the newest known here",
      "9:1 cloud is not known to this version",
      "10:11 limits.cpu is not known to this version",
    ]);
  });

  it("names mistakes in the order of the text, and not more than anybody reads", () => {
    const tags = Array.from({ length: 50 }, () => "''").join();
    const found = mistakes(`size: 1\n${least}tags: [${tags}]\n`);
    expect(found).toHaveLength(policyTextLimits.mistakes + 1);
    expect(found[0]).toBe("1:1 size is not a known field");
    expect(found.at(-1)).toBe("10:65 and 31 more mistakes");
  });

  it("refuses two policies of one name", () => {
    expect(read(`${least}---\n${least}`)).toMatchObject([
      { kind: "read" },
      { kind: "refused", mistakes: [{ line: 11, path: ["name"] }] },
    ]);
  });

  it("bounds what it reads", () => {
    const large = readPolicies(Buffer.alloc(policyTextLimits.bytes + 1, "#"));
    expect(large).toMatchObject([{ mistakes: [{ problem: "is larger than 1048576 bytes" }] }]);
    expect(readPolicies(Buffer.of(0xff))).toMatchObject([
      { mistakes: [{ problem: "is not UTF-8" }] },
    ]);
    const many = read("a: 1\n---\n".repeat(policyTextLimits.documents + 1));
    expect(many).toMatchObject([{ mistakes: [{ problem: "holds more than 1000 documents" }] }]);
    const deep = mistakes(`a: ${"[".repeat(100_000)}`);
    expect(deep.length).toBeGreaterThan(0);
    expect(deep.length).toBeLessThanOrEqual(policyTextLimits.mistakes);
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (const name of "bcdefgh") {
      const before = String.fromCharCode(name.charCodeAt(0) - 1);
      bomb.push(`${name}: &${name} [${`*${before},`.repeat(9)}]`);
    }
    expect(mistakes(bomb.join("\n"))[0]).toContain("Excessive alias count");
  });

  it("throws for no text whatever", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(..."{}[]:,&*!|>-#\n\t\"'? ", "---\n", "a: ", "<<: ", "version: 1\n", least),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const reading of read(pieces.join("")))
          if (reading.kind === "refused") expect(reading.mistakes.length).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});
