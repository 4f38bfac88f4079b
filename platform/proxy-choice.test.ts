import { describe, expect, it } from "vitest";
import { proxyAuthorization, proxyFor } from "./proxy-choice.ts";

const server = new URL("https://backup.example.org:8443/base");

describe("the proxy", () => {
  it("is the one for the kind of address, small letters first, ALL_PROXY last", () => {
    const environment = {
      HTTPS_PROXY: "http://secure:1",
      https_proxy: "",
      HTTP_PROXY: "http://plain:2",
      ALL_PROXY: "all:3",
    };
    expect(proxyFor(server, environment)?.host).toBe("secure:1");
    expect(proxyFor(server, { ...environment, https_proxy: "http://small:4" })?.host).toBe(
      "small:4",
    );
    expect(proxyFor(new URL("http://backup"), environment)?.host).toBe("plain:2");
    expect(proxyFor(server, { all_proxy: "all:3" })?.host).toBe("all:3");
    expect(proxyFor(server, {})).toBeUndefined();
    for (const odd of ["socks5://x:1", "::", "ftp://x"])
      expect(proxyFor(server, { HTTPS_PROXY: odd }), odd).toBeUndefined();
  });

  it.each([
    ["*", true],
    ["example.org", true],
    [".example.org", true],
    ["*.example.org", true],
    ["BACKUP.EXAMPLE.ORG", true],
    ["backup.example.org:8443", true],
    ["backup.example.org:443", false],
    ["ample.org", false],
    ["other, example.org", true],
    ["10.0.0.0/8", false],
    ["", false],
  ])("is passed by for NO_PROXY %o: %o", (exempt, isDirect) => {
    const environment = { HTTPS_PROXY: "http://proxy:1", NO_PROXY: exempt };
    expect(proxyFor(server, environment) === undefined).toBe(isDirect);
  });

  it("is passed by for addresses and blocks of them", () => {
    const direct = (url: string, exempt: string): boolean =>
      proxyFor(new URL(url), { ALL_PROXY: "proxy:1", no_proxy: exempt }) === undefined;
    expect(direct("https://10.1.2.3", "10.0.0.0/8")).toBe(true);
    expect(direct("https://10.1.2.3", "10.1.2.3")).toBe(true);
    expect(direct("https://11.1.2.3", "10.0.0.0/8 11.0.0.0/33")).toBe(false);
    expect(direct("https://[2001:db8::1]:8443", "2001:db8::/32")).toBe(true);
    expect(direct("https://[2001:db8::1]", "2001:db8::1")).toBe(true);
    expect(direct("https://[2001:db8::1]", "2001:db9::/32")).toBe(false);
    expect(direct("https://1.2.3.4", "3.4")).toBe(false);
  });

  it("is told user and password, unescaped", () => {
    const proxy = proxyFor(server, { HTTPS_PROXY: "http://me%40corp:p%3Ass%20w@proxy:1" });
    const [, pair] = (proxy && proxyAuthorization(proxy))?.split(" ") ?? [];
    expect(Buffer.from(pair, "base64").toString()).toBe("me@corp:p:ss w");
    expect(proxyAuthorization(new URL("http://proxy:1"))).toBeUndefined();
  });
});
