import { expect, it } from "vitest";
import { localApiAddress } from "./local-api-address.ts";

const isLinux = process.platform === "linux";

it.runIf(isLinux)(
  "the socket is in the machine's folder for such things, or in BACKSTAY_HOME",
  () => {
    expect(localApiAddress({})).toEqual({
      path: "/run/backstay/agent.sock",
      isPipe: false,
      lockFile: "/run/backstay/daemon.lock",
    });
    expect(localApiAddress({ BACKSTAY_HOME: "/srv/b" }).path).toBe("/srv/b/run/agent.sock");
  },
);

it.runIf(isLinux)("a path longer than a socket's may be is refused, in bytes and exactly", () => {
  const homeOf = (length: number): string => `/${"é".repeat(10)}${"x".repeat(length - 21)}`;
  const fits = 107 - "/run/agent.sock".length;
  expect(Buffer.byteLength(localApiAddress({ BACKSTAY_HOME: homeOf(fits) }).path)).toBe(107);
  expect(() => localApiAddress({ BACKSTAY_HOME: homeOf(fits + 1) })).toThrow(
    /108 bytes long, and a socket's path has at most 107/,
  );
});
