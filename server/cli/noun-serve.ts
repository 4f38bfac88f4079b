/** `backstay-server serve`: the server itself, until it is told to stop. */
import { proxyVariables } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { tlsPin } from "../../protocol/control/enrolment.ts";
import { runServer } from "../serve/run-server.ts";
import type { Environment } from "./environment.ts";
import { countOption, fileText, listOf, textOf } from "./option-values.ts";
import { collect, type Verb } from "./verb.ts";

const logLevels = ["debug", "info", "warning", "error"] as const;

export const serveVerb: Verb = {
  name: "serve",
  summary: "run the server",
  isLocal: true,
  examples: [
    "backstay-server serve --data /var/lib/backstay-server",
    "backstay-server serve --data /var/lib/backstay-server --listen 0.0.0.0:8443 --public-url https://backup.example:8443",
    "backstay-server serve --data /srv/replica1 --database-file /etc/backstay/database --master-key-file /etc/backstay/master.key",
  ],
  define: (command) => {
    command
      .option("--data <folder>", "everything that the server keeps ($BACKSTAY_SERVER_DATA)")
      .option("--listen <host:port>", "where it listens", "0.0.0.0:8443")
      .option(
        "--public-url <url>",
        "an address that agents use; repeatable, first choice first",
        collect,
      )
      .option("--database <url>", "postgres://… instead of SQLite; without a password")
      .option("--database-file <file>", "file with such an address, which may hold a password")
      .option(
        "--tls-cert <file>",
        "certificate (PEM) with those above it; made by itself if absent",
      )
      .option("--tls-key <file>", "its key (PEM)")
      .option(
        "--pin <pin>",
        "sha256/… that agents see, where a proxy ends TLS; repeatable; none: authorities decide",
        collect,
      )
      .option("--master-key-file <file>", "key that seals secrets, shared by replicas")
      .option(
        "--trusted-proxy <cidr>",
        "proxies whose x-forwarded-for is believed; repeatable",
        collect,
      )
      .option("--licence-issuer <file>", "public key whose licences count, for who issues them")
      .option("--poll <seconds>", "seconds between polls of an agent (300)")
      .option("--log-level <level>", "debug, info, warning or error", "info");
  },
  run: async ({ options, environment, io }) => {
    const dataFolder = textOf(options["data"]) ?? environment["BACKSTAY_SERVER_DATA"];
    if (dataFolder === undefined)
      throw new BackstayError("USAGE", { command: "serve", problem: "--data is missing" });
    const level = logLevels.find((known) => known === options["logLevel"]);
    if (level === undefined)
      throw new BackstayError("USAGE", { option: "--log-level", known: logLevels.join(", ") });
    await runServer(
      {
        dataFolder,
        listen: addressOf(textOf(options["listen"]) ?? ""),
        database: await databaseOf(options),
        publicUrls: optional(listOf(options["publicUrl"])),
        tls: tlsOf(options),
        pins: pinsOf(listOf(options["pin"])),
        masterKeyFile: textOf(options["masterKeyFile"]),
        trustedProxies: optional(listOf(options["trustedProxy"])),
        licenceIssuerFile: textOf(options["licenceIssuer"]),
        storageEnvironment: storageEnvironment(environment),
        pollSeconds: countOption("poll", options["poll"]),
        logLevel: level,
        writeLog: (line) => void process.stderr.write(line),
        now: () => Date.now(),
      },
      { environment: { ...environment }, show: (line) => void io.write(`${line}\n`) },
    );
    return { json: undefined, lines: [] };
  },
};

/** Proxies, and the file of an authority, as storages take them. */
function storageEnvironment(environment: Environment): Record<string, string> {
  const authority = environment["RESTIC_CACERT"] ?? "";
  return {
    ...proxyVariables(environment),
    ...(authority !== "" && { RESTIC_CACERT: authority }),
  };
}

function addressOf(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new BackstayError("USAGE", { option: "--listen", problem: `"${text}" is not HOST:PORT` });
  return { host: match[1] ?? match[2] ?? "", port };
}

async function databaseOf(options: Readonly<Record<string, unknown>>): Promise<string | undefined> {
  const file = textOf(options["databaseFile"]);
  const address = textOf(options["database"]);
  if (file === undefined) return address;
  if (address !== undefined)
    throw new BackstayError("USAGE", { problem: "give either --database or --database-file" });
  return (await fileText(file)).trim();
}

function pinsOf(pins: readonly string[]): readonly string[] | undefined {
  if (pins.length === 1 && pins[0] === "none") return [];
  const bad = pins.find((pin) => !tlsPin.safeParse(pin).success);
  if (bad !== undefined)
    throw new BackstayError("USAGE", { option: "--pin", problem: `"${bad}" is no pin` });
  return optional(pins);
}

function tlsOf(
  options: Readonly<Record<string, unknown>>,
): { certificateFile: string; keyFile: string } | undefined {
  const certificateFile = textOf(options["tlsCert"]);
  const keyFile = textOf(options["tlsKey"]);
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined)
    throw new BackstayError("USAGE", { problem: "--tls-cert and --tls-key go together" });
  return { certificateFile, keyFile };
}

function optional<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length === 0 ? undefined : list;
}
