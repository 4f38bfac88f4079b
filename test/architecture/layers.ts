/**
 * Who may import whom: the table of docs/architecture.md as data, and the search for imports that break it.
 * Every source file belongs to exactly one layer; the order of the table is from the bottom up.
 */
import { isTestFile } from "./checkout.ts";
import type { SourceFacts } from "./source-facts.ts";

interface Layer {
  readonly name: string;
  /** Which files are in it. The first layer of the table that holds a file is its layer. */
  readonly holds: RegExp;
  readonly mayImport: readonly string[];
}

const ports = "platform/ports";
const adapters = ["listing", "node", "native", "linux", "darwin", "windows"].map(
  (name) => `platform/${name}`,
);
const contracts = ["protocol", ports, "platform", "storage"];
const repositoryUsers = [...contracts, "agent/patterns", "agent/repository", "agent/threads"];

const serverGround = ["protocol", ports, "platform", "server/database", "server/ground"];
/** Each knows its own tables and rules; none knows HTTP. */
const serverRooms = ["fleet", "commands", "reports", "licence", "escrow", "http"];
const roomsOfServer = [
  "fleet",
  "bundles",
  "commands",
  "reports",
  "licence",
  "escrow",
  "places",
].map((name) => `server/${name}`);

/** The layers. A layer may import itself and what it names here; what that imports in turn is not implied. */
export const layers: readonly Layer[] = [
  { name: "protocol", holds: /^protocol\//, mayImport: [] },
  { name: ports, holds: /^platform\/ports\//, mayImport: ["protocol"] },
  { name: "platform/listing", holds: /^platform\/listing\//, mayImport: ["protocol", ports] },
  ...["node", "native"].map((name) => ({
    name: `platform/${name}`,
    holds: new RegExp(`^platform/${name}/`),
    mayImport: ["protocol", ports, "platform/listing"],
  })),
  ...["linux", "darwin", "windows"].map((system) => ({
    name: `platform/${system}`,
    holds: new RegExp(`^platform/${system}/`),
    mayImport: ["protocol", ports, "platform/listing", "platform/node", "platform/native"],
  })),
  { name: "platform/fake", holds: /^platform\/fake\//, mayImport: ["protocol", ports] },
  { name: "platform", holds: /^platform\/[^/]+$/, mayImport: ["protocol", ports, ...adapters] },
  {
    name: "storage (composition)",
    holds: /^storage\/open-[^/]+$/,
    mayImport: ["protocol", ports, "platform", "storage", "storage (adapters)"],
  },
  { name: "storage", holds: /^storage\/[^/]+$/, mayImport: ["protocol", ports] },
  {
    name: "storage (adapters)",
    holds: /^storage\/[^/]+\//,
    mayImport: ["protocol", ports, "platform/node", "platform", "storage"],
  },
  { name: "agent/patterns", holds: /^agent\/patterns\//, mayImport: ["protocol"] },
  {
    name: "agent/policy",
    holds: /^agent\/policy\//,
    mayImport: ["protocol", ports, "storage", "agent/patterns"],
  },
  {
    name: "agent/policy-files",
    holds: /^agent\/policy-files\//,
    mayImport: ["protocol", ports, "agent/policy"],
  },
  { name: "agent/triggers", holds: /^agent\/triggers\//, mayImport: ["protocol", ports] },
  { name: "agent/threads", holds: /^agent\/threads\//, mayImport: [] },
  { name: "agent/repository", holds: /^agent\/repository\//, mayImport: contracts },
  { name: "agent/backup", holds: /^agent\/backup\//, mayImport: repositoryUsers },
  { name: "agent/tar", holds: /^agent\/tar\//, mayImport: [] },
  {
    name: "agent/restore",
    holds: /^agent\/restore\//,
    mayImport: [...repositoryUsers, "agent/tar"],
  },
  { name: "agent/check", holds: /^agent\/check\//, mayImport: repositoryUsers },
  {
    name: "agent/engine",
    holds: /^agent\/engine\//,
    mayImport: [
      ...repositoryUsers,
      "agent/backup",
      "agent/restore",
      "agent/check",
      "storage (composition)",
    ],
  },
  {
    name: "agent/control",
    holds: /^agent\/control\//,
    mayImport: ["protocol", ports, "platform", "agent/state"],
  },
  { name: "agent/state", holds: /^agent\/state\//, mayImport: ["protocol", ports, "platform"] },
  {
    name: "agent/jobs",
    holds: /^agent\/jobs\//,
    mayImport: ["protocol", ports, "platform", "agent/state"],
  },
  {
    name: "agent/local-api",
    holds: /^agent\/local-api\//,
    mayImport: ["protocol", ports, "platform"],
  },
  {
    name: "agent/local-client",
    holds: /^agent\/local-client\//,
    mayImport: ["protocol", "platform"],
  },
  { name: "agent/doctor", holds: /^agent\/doctor\//, mayImport: ["protocol", ports, "platform"] },
  {
    name: "agent/daemon",
    holds: /^agent\/daemon\//,
    mayImport: [
      ...contracts,
      "agent/policy",
      "agent/policy-files",
      "agent/triggers",
      "agent/state",
      "agent/jobs",
      "agent/control",
      "agent/local-api",
      "agent/doctor",
      "storage (composition)",
    ],
  },
  {
    name: "agent/cli",
    holds: /^agent\/cli\//,
    mayImport: [
      ...repositoryUsers,
      "agent/policy",
      "agent/policy-files",
      "agent/control",
      "agent/backup",
      "agent/restore",
      "agent/check",
      "agent/tar",
      "agent/local-client",
      "agent/doctor",
      "storage (composition)",
      "storage (adapters)",
    ],
  },
  {
    name: "agent/bin",
    holds: /^agent\/bin\//,
    mayImport: ["agent/cli", "agent/engine", "agent/daemon"],
  },
  { name: "server/database", holds: /^server\/database\//, mayImport: ["protocol", ports] },
  {
    name: "server/ground",
    holds: /^server\/ground\//,
    mayImport: ["protocol", ports, "platform", "server/database"],
  },
  ...serverRooms.map((name) => ({
    name: `server/${name}`,
    holds: new RegExp(`^server/${name}/`),
    mayImport: serverGround,
  })),
  {
    name: "server/bundles",
    holds: /^server\/bundles\//,
    mayImport: [...serverGround, "storage"],
  },
  {
    name: "server/access",
    holds: /^server\/access\//,
    mayImport: [...serverGround, "server/http"],
  },
  {
    name: "server/places",
    holds: /^server\/places\//,
    mayImport: [...serverGround, "storage", "storage (composition)"],
  },
  {
    name: "server/gateway",
    holds: /^server\/gateway\//,
    mayImport: [
      ...serverGround,
      "server/http",
      "storage",
      "storage (adapters)",
      "storage (composition)",
    ],
  },
  {
    name: "server/storage-accounts",
    holds: /^server\/storage-accounts\//,
    mayImport: [...serverGround, "storage (adapters)"],
  },
  {
    name: "server/agent-api",
    holds: /^server\/agent-api\//,
    mayImport: [...serverGround, "server/http", "server/storage-accounts", ...roomsOfServer],
  },
  {
    name: "server/management",
    holds: /^server\/management\//,
    mayImport: [...serverGround, "server/http", "server/access", ...roomsOfServer],
  },
  {
    name: "server/serve",
    holds: /^server\/serve\//,
    mayImport: [
      ...serverGround,
      "server/http",
      "server/access",
      ...roomsOfServer,
      "server/gateway",
      "server/storage-accounts",
      "server/agent-api",
      "server/management",
    ],
  },
  {
    name: "server/cli",
    holds: /^server\/cli\//,
    mayImport: ["protocol", ports, "platform", "server/serve"],
  },
  { name: "server/bin", holds: /^server\/bin\//, mayImport: ["server/cli"] },
  { name: "installers", holds: /^installers\//, mayImport: [] },
  { name: "test", holds: /^test\//, mayImport: ["*"] },
];

/** What test files beside the code may import on top of their layer's row. */
const forTests = [
  "protocol",
  ports,
  ...adapters,
  "platform",
  "platform/fake",
  "storage",
  "storage (adapters)",
  "storage (composition)",
  "test",
];

/** The table of docs/architecture.md. */
export function layerTable(): string {
  const rows = layers.map(({ name, mayImport }) => {
    const targets = mayImport.map((target) => (target === "*" ? "everything" : `\`${target}\``));
    return `| \`${name}\` | ${targets.length === 0 ? "nothing" : targets.join(", ")} |`;
  });
  return ["| layer | may import |", "| --- | --- |", ...rows].join("\n");
}

/** The name of a file's layer, or undefined if it is in none. */
export function layerOf(file: string): string | undefined {
  return layers.find((layer) => layer.holds.test(file))?.name;
}

/** Every import that breaks the table, as a line for people. `facts` has an entry for each source file. */
export function layerViolations(facts: ReadonlyMap<string, SourceFacts>): string[] {
  const violations: string[] = [];
  for (const [file, { files }] of facts) {
    const from = layers.find((layer) => layer.holds.test(file));
    if (from === undefined) {
      violations.push(`${file}: in no layer; add its folder to the table in test/architecture`);
      continue;
    }
    const isTest = isTestFile(file);
    const allowed = new Set([from.name, ...from.mayImport, ...(isTest ? forTests : [])]);
    for (const target of files) {
      const to = layerOf(target);
      if (!facts.has(target)) violations.push(`${file}: imports ${target}, which does not exist`);
      else if (to === undefined || !(allowed.has("*") || allowed.has(to)))
        violations.push(`${file}: ${from.name} may not import ${to} (${target})`);
      else if (!isTest && isTestFile(target))
        violations.push(`${file}: what ships may not import a test file (${target})`);
    }
  }
  return violations;
}

/** Every group of files that import each other in a circle (types included), as a line for people. */
export function importCycles(facts: ReadonlyMap<string, SourceFacts>): string[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): number => {
    const number = order.size;
    order.set(file, number);
    lowest.set(file, number);
    open.push(file);
    let low = number;
    for (const target of facts.get(file)?.files ?? []) {
      if (!facts.has(target)) continue;
      const seen = order.has(target);
      if (!seen) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, order.get(target) ?? low);
    }
    lowest.set(file, low);
    if (low === number) {
      const group = open.splice(open.indexOf(file));
      if (group.length > 1) cycles.push(`cycle: ${group.join(" -> ")} -> ${file}`);
      else if (facts.get(file)?.files.includes(file) === true)
        cycles.push(`cycle: ${file} -> itself`);
    }
    return low;
  };
  for (const file of facts.keys()) if (!order.has(file)) visit(file);
  return cycles;
}
