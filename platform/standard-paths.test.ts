/** Where the files of the program go. */
import { expect, it } from "vitest";
import {
  cacheDirectory,
  configDirectory,
  logDirectory,
  runtimeDirectory,
  stateDirectory,
} from "./standard-paths.ts";

it("BACKSTAY_HOME wins over everything", () => {
  const environment = {
    BACKSTAY_HOME: "/srv/backstay",
    XDG_CACHE_HOME: "/srv/xdg",
    HOME: "/srv/ann",
  };
  expect(cacheDirectory(environment)).toBe("/srv/backstay/cache");
  expect(configDirectory(environment)).toBe("/srv/backstay/config");
  expect(stateDirectory(environment)).toBe("/srv/backstay/state");
  expect(logDirectory(environment)).toBe("/srv/backstay/state/log");
  expect(runtimeDirectory(environment)).toBe("/srv/backstay/run");
});

it.runIf(process.platform === "linux")("then XDG_CACHE_HOME, if it is absolute", () => {
  const isRoot = process.getuid?.() === 0;
  const usual = isRoot ? "/var/cache/backstay" : "/srv/ann/.cache/backstay";
  expect(cacheDirectory({ XDG_CACHE_HOME: "/srv/xdg", HOME: "/srv/ann" })).toBe(
    "/srv/xdg/backstay",
  );
  expect(cacheDirectory({ XDG_CACHE_HOME: "relative", HOME: "/srv/ann" })).toBe(usual);
  expect(cacheDirectory({ HOME: "/srv/ann" })).toBe(usual);
});

it.runIf(process.platform === "linux")("configuration and state belong to the machine", () => {
  const environment = {
    BACKSTAY_HOME: "",
    HOME: "/srv/ann",
    XDG_CONFIG_HOME: "/srv/ann/etc",
    XDG_STATE_HOME: "/srv/ann/state",
    XDG_RUNTIME_DIR: "/run/user/1000",
  };
  expect(configDirectory(environment)).toBe("/etc/backstay");
  expect(stateDirectory(environment)).toBe("/var/lib/backstay");
  expect(runtimeDirectory(environment)).toBe("/run/backstay");
});
