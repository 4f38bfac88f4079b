/** A `rest:` address and its settings, taken apart: where the server is, who we are there, and whom we trust. */
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { HttpPlace } from "../http/http-transport.ts";

/** As `OpenStoreOptions.environment`. */
export type RestEnvironment = Readonly<Record<string, string | undefined>>;

export interface RestPlace extends HttpPlace {
  /** Of the repository, percent-encoded; begins and ends with a slash. */
  readonly path: string;
  /** Value of the header, or undefined: no account is sent. */
  readonly authorization: string | undefined;
  /** What must never be shown: the password, and its forms. */
  readonly secrets: readonly string[];
}

const pinForm = /^sha256\/[A-Za-z0-9_-]{43}$/;

/**
 * `place` is what follows `rest:`: `http(s)://[user:password@]host[:port]/path/`. USAGE if it, or a setting, can't be
 * used; no part of a password is in the error.
 */
export function restPlace(place: string, environment: RestEnvironment): RestPlace {
  const url = URL.canParse(place) ? new URL(place) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usage("a rest: address is rest:http(s)://host:port/path/");
  if (url.search !== "" || url.hash !== "") throw usage("a rest: address has no ? and no #");
  const setting = (...names: string[]): string =>
    names.map((name) => environment[name] ?? "").find((value) => value !== "") ?? "";
  const user = decoded(url.username) || setting("RESTIC_REST_USERNAME");
  const password = decoded(url.password) || setting("RESTIC_REST_PASSWORD");
  const account = Buffer.from(`${user}:${password}`).toString("base64");
  const hasAccount = user !== "" || password !== "";
  const path = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  const authoritiesFile = setting("RESTIC_CACERT");
  const proxy = proxyFor(url, environment);
  const pins = pinsOf(setting("BACKSTAY_REST_PINS"));
  if (pins.length > 0 && url.protocol === "http:")
    throw usage("BACKSTAY_REST_PINS is set, but the rest: address is not https");
  return {
    origin: url.origin,
    path,
    location: `rest:${url.origin}${path}`,
    authorization: hasAccount ? `Basic ${account}` : undefined,
    secrets: [password, url.password, hasAccount ? account : "", decoded(proxy?.password ?? "")],
    pins,
    authoritiesFile: authoritiesFile === "" ? undefined : authoritiesFile,
    proxy,
  };
}

/** Takes the standard alphabet and the one of addresses. */
function pinsOf(list: string): string[] {
  const pins = list.split(/[\s,]+/).filter((pin) => pin !== "");
  return pins.map((pin) => {
    const known = `sha256/${pin.slice(7).replaceAll("+", "-").replaceAll("/", "_").replace(/=$/, "")}`;
    if (!pin.startsWith("sha256/") || !pinForm.test(known))
      throw usage("BACKSTAY_REST_PINS: a pin is sha256/ and 43 characters of base64url");
    return known;
  });
}

/** A stray % is a password's own. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function usage(problem: string): BackstayError {
  return new BackstayError("USAGE", { problem });
}
