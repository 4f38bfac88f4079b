/** Where caches go. */
import { expect, it } from "vitest";
import { cacheDirectory } from "./standard-paths.ts";

it("BACKSTAY_HOME wins over everything", () => {
  const environment = {
    BACKSTAY_HOME: "/srv/backstay",
    XDG_CACHE_HOME: "/srv/xdg",
    HOME: "/srv/ann",
  };
  expect(cacheDirectory(environment)).toBe("/srv/backstay/cache");
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
