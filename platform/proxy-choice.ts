/** Which proxy leads to a server, by the variables that everybody knows: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY. Pure. */
import { BlockList, isIP } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined: go there directly. A variable that is no address of an HTTP proxy is passed over. */
export function proxyFor(server: URL, environment: Environment): URL | undefined {
  const value = (name: string): string | undefined =>
    [environment[name.toLowerCase()], environment[name]].find((text) => (text ?? "") !== "");
  if (isExempt(server, value("NO_PROXY") ?? "")) return undefined;
  const own = server.protocol === "https:" ? value("HTTPS_PROXY") : value("HTTP_PROXY");
  return proxyAddress(own ?? value("ALL_PROXY") ?? "");
}

const variableNames = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];

/** Of an environment what `proxyFor` reads, to be handed to whoever has none. */
export function proxyVariables(environment: Environment): Record<string, string> {
  const names = variableNames.flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name] ?? "";
      return value === "" ? [] : [[name, value]];
    }),
  );
}

/** User and password of a proxy as its header takes them; undefined if the address has none. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

function proxyAddress(text: string): URL | undefined {
  if (text === "") return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
}

/** Entries are hosts (with all below them), addresses, CIDR blocks, each with a port or without, and `*`. */
function isExempt(server: URL, list: string): boolean {
  const host = server.hostname.replaceAll(/^\[|\]$/g, "").toLowerCase();
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      if (entry.includes("/")) return isInBlock(host, entry);
      const [, name, wanted] = /^(.+?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      if (isIP(entry) !== 0) return entry.toLowerCase() === host;
      if (name === undefined || (wanted !== undefined && wanted !== port)) return false;
      const domain = name.replace(/^\*?\./, "").replaceAll(/^\[|\]$/g, "");
      return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
    });
}

function isInBlock(host: string, entry: string): boolean {
  const [network, bits] = entry.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const block = new BlockList();
  block.addSubnet(network, Number(bits), type);
  return block.check(host, type);
}
