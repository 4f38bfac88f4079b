/** What a server is told when it starts. */
import type { LogLevel } from "../ground/json-log.ts";
import type { RateLimits } from "../http/traffic-limits.ts";

export interface ServerOptions {
  /** Everything that is kept on this machine; made if it is not there. */
  readonly dataFolder: string;
  /** Port 0: any that is free. */
  readonly listen: { readonly host: string; readonly port: number };
  /** `postgres://…`; absent: SQLite in the data folder. */
  readonly database?: string | undefined;
  /** Addresses that agents use, first choice first; absent: this machine's name and the port. */
  readonly publicUrls?: readonly string[] | undefined;
  /** PEM files of a certificate (with those above it) and its key; absent: the server makes its own. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string } | undefined;
  /** Pins for enrolment tokens (`sha256/…`), where a proxy shows another certificate; absent: see tls-identity.ts. */
  readonly pins?: readonly string[] | undefined;
  /** Shared by replicas; absent: made in the data folder. */
  readonly masterKeyFile?: string | undefined;
  /** JSON file with the public key whose licences count, for who issues licences; absent: the built-in one. */
  readonly licenceIssuerFile?: string | undefined;
  /** CIDR blocks of proxies whose `x-forwarded-for` is believed. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Seconds between polls of an agent, 300 if absent. */
  readonly pollSeconds?: number | undefined;
  /** So long a wake request is held, 50 seconds if absent. */
  readonly wakeHoldSeconds?: number | undefined;
  /** Wake requests held at once, 50,000 if absent. */
  readonly wakesMax?: number | undefined;
  /** Agents spread the fetching of new bundles over so long, 60 seconds if absent. */
  readonly bundleSpreadSeconds?: number | undefined;
  /** False: makes no token for the first administrator, where nobody but a log would get it. */
  readonly makesFirstAdmin?: boolean | undefined;
  readonly rateLimits?: Partial<RateLimits> | undefined;
  /** Proxies and authorities for the storages of repositories, as variables of the environment. */
  readonly storageEnvironment?: Readonly<Record<string, string>> | undefined;
  readonly logLevel: LogLevel;
  /** Where lines of the log go, each with its line feed. */
  readonly writeLog: (line: string) => void;
  /** Wall clock, ms since 1970. */
  readonly now: () => number;
}
