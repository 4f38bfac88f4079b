/** `backstay-server serve`: the server itself, until it is told to end. */
import { readFile } from "node:fs/promises";
import { BlockList, isIP } from "node:net";
import path from "node:path";
import { z } from "zod";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { tlsPin } from "../../protocol/control/enrolment.ts";
import { runServer } from "../serve/run-server.ts";
import type { ServerOptions } from "../serve/server-options.ts";
import type { Environment } from "./environment.ts";
import { collect, type Verb } from "./verb.ts";

const usualListen = "0.0.0.0:8443";

const url = z
  .url({ protocol: /^https?$/, error: "is no http or https address" })
  .refine((text) => new URL(text).pathname === "/" && new URL(text).search === "", {
    error: "has a path; agents use the root of the address",
  });
const seconds = (least: number, most: number): z.ZodType<number> =>
  z.coerce.number().int().min(least).max(most);

/** What commander makes of the options below. */
const serveOptions = z.object({
  data: z.string().min(1).optional(),
  listen: z.string().default(usualListen),
  database: z.string().optional(),
  databaseFile: z.string().optional(),
  publicUrl: z.array(url).optional(),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  pin: z.array(tlsPin).optional(),
  masterKeyFile: z.string().optional(),
  trustedProxy: z
    .array(z.string().refine(isNetwork, { error: "is no network like 10.0.0.0/8" }))
    .optional(),
  pollSeconds: seconds(1, 86_400).optional(),
  wakeHoldSeconds: seconds(1, 110).optional(),
  wakesMax: seconds(0, 1_000_000).optional(),
  bundleSpreadSeconds: seconds(0, 3600).optional(),
  logLevel: z.enum(["debug", "info", "warning", "error"]).default("info"),
});

export const serveVerb: Verb = {
  name: "serve",
  summary: "runs the server until it is told to end",
  examples: [
    "backstay-server serve --data /var/lib/backstay-server",
    "backstay-server serve --data /var/lib/backstay-server --public-url https://backup.example.com:8443",
  ],
  isLocal: true,
  define: (command) => {
    command
      .option(
        "--data <folder>",
        "everything it keeps; made if it is not there ($BACKSTAY_SERVER_DATA)",
      )
      .option("--listen <address>", `HOST:PORT, port 0 for any [${usualListen}]`)
      .option(
        "--database <address>",
        "postgres://… instead of SQLite in the data folder ($BACKSTAY_SERVER_DATABASE)",
      )
      .option("--database-file <file>", "the same from a file, for addresses with a password")
      .option("--public-url <url>", "address that agents use, may be given several times", collect)
      .option("--tls-cert <file>", "certificate with those above it, PEM; else it makes its own")
      .option("--tls-key <file>", "key of the certificate, PEM")
      .option(
        "--pin <pin>",
        "sha256/… of the certificate that agents see, if a proxy shows another",
        collect,
      )
      .option("--master-key-file <file>", "shared by replicas; else made in the data folder")
      .option("--trusted-proxy <network>", "proxies whose x-forwarded-for counts", collect)
      .option("--poll-seconds <n>", "between polls of an agent [300]")
      .option("--wake-hold-seconds <n>", "so long a wake request is held [50]")
      .option("--wakes-max <n>", "most wake requests held at once [50000]")
      .option(
        "--bundle-spread-seconds <n>",
        "agents spread the fetching of bundles over so long [60]",
      )
      .option("--log-level <level>", "debug, info, warning, error [info]");
  },
  run: async ({ options, environment, io }) => {
    const known = await readOptions(options, environment);
    await runServer(
      {
        ...known,
        now: () => Date.now(),
        writeLog: (line) => void process.stdout.write(line),
      },
      { environment: { ...environment }, show: (line) => io.note(line) },
    );
    return { json: undefined, lines: [] };
  },
};

/** What the server is told. USAGE. */
async function readOptions(
  given: Readonly<Record<string, unknown>>,
  environment: Environment,
): Promise<Omit<ServerOptions, "now" | "writeLog">> {
  const parsed = serveOptions.safeParse(given);
  if (!parsed.success) throw usage(parsed.error);
  const { listen, tlsCert, tlsKey, databaseFile, publicUrl, pin, trustedProxy, ...rest } =
    parsed.data;
  const data = rest.data ?? environment["BACKSTAY_SERVER_DATA"];
  if (data === undefined)
    throw new BackstayError("USAGE", { problem: "give a folder with --data" });
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new BackstayError("USAGE", { problem: "--tls-cert and --tls-key go together" });
  const database =
    databaseFile === undefined
      ? (rest.database ?? environment["BACKSTAY_SERVER_DATABASE"])
      : (await readText(databaseFile)).trim();
  if (database !== undefined && !/^postgres(?:ql)?:\/\//.test(database))
    throw new BackstayError("USAGE", { problem: "the database is no postgres:// address" });
  return {
    ...rest,
    dataFolder: path.resolve(data),
    listen: listenAddress(listen),
    database,
    publicUrls: publicUrl,
    pins: pin,
    trustedProxies: trustedProxy,
    ...(tlsCert !== undefined &&
      tlsKey !== undefined && { tls: { certificateFile: tlsCert, keyFile: tlsKey } }),
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const problem = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BackstayError("USAGE", { path: file, problem }, error);
  }
}

/** `HOST:PORT`, with brackets around a host with colons. */
function listenAddress(text: string): ServerOptions["listen"] {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || digits === undefined || port > 65_535)
    throw new BackstayError("USAGE", { problem: `--listen ${text} is not HOST:PORT` });
  return { host, port };
}

/** An address or a block of them in CIDR notation. */
function isNetwork(text: string): boolean {
  const [address = "", bits, more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more !== undefined) return false;
  if (bits === undefined) return true;
  try {
    new BlockList().addSubnet(address, Number(bits), version === 4 ? "ipv4" : "ipv6");
    return /^\d+$/.test(bits);
  } catch {
    return false;
  }
}

function usage(error: z.ZodError): BackstayError {
  const problems = error.issues.map(({ path: place, message }) => {
    const name = String(place[0] ?? "").replaceAll(
      /[A-Z]/g,
      (letter) => `-${letter.toLowerCase()}`,
    );
    return `--${name}: ${message}`;
  });
  return new BackstayError("USAGE", { command: "serve", problem: problems.join("; ") });
}
