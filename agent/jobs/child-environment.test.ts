import { expect, it } from "vitest";
import { engineEnvironment, scriptEnvironment } from "./child-environment.ts";

const ours = {
  PATH: "/bin",
  LC_ALL: "C",
  HTTPS_PROXY: "http://proxy",
  BACKSTAY_HOME: "/var/lib/x",
  BACKSTAY_PASSWORD: "secret",
  AWS_SECRET_ACCESS_KEY: "secret",
  NODE_OPTIONS: "--require=evil",
  LD_PRELOAD: "evil",
  CREDENTIALS_DIRECTORY: "/run/x",
  TZ: undefined,
};

it("gives scripts what is harmless, and what they are told", () => {
  expect(scriptEnvironment(ours, { BACKSTAY_POLICY: "a" })).toEqual({
    PATH: "/bin",
    LC_ALL: "C",
    BACKSTAY_POLICY: "a",
  });
});

it("gives engines the way out too, and no secret", () => {
  expect(engineEnvironment(ours)).toEqual({
    PATH: "/bin",
    LC_ALL: "C",
    HTTPS_PROXY: "http://proxy",
    BACKSTAY_HOME: "/var/lib/x",
  });
});
