import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentApi } from "../../protocol/control/agent-api.ts";
import { type App, makeHttpApp } from "./http-app.ts";
import { collectRoutes } from "./route-access.ts";
import { limitTraffic, type RateLimits } from "./traffic-limits.ts";

const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  failure: () => undefined,
};
const wide = { burst: 1000, perSecond: 1000 };
const limits: RateLimits = {
  agents: wide,
  // Fills by one in a day: no busy machine makes the test see that.
  enrolment: { burst: 3, perSecond: 1 / 86_400 },
  management: wide,
  gateway: wide,
};

describe("a flood of enrolments", () => {
  let app: App;
  let asked: number;
  const stopping = new AbortController();

  beforeEach(() => {
    asked = 0;
    app = makeHttpApp({ log: quiet, trustedProxies: ["127.0.0.1"] });
    collectRoutes(app);
    limitTraffic(app, limits, stopping.signal);
    for (const url of [agentApi.enroll, agentApi.bundle])
      app.post(url, { config: { access: { kind: "public" } } }, async () => {
        asked += 1;
        return {};
      });
  });
  afterEach(async () => {
    await app.close();
  });

  async function ask(address: string, url: string = agentApi.enroll): Promise<number> {
    const headers = { "x-forwarded-for": address };
    return (await app.inject({ method: "POST", url, headers, payload: {} })).statusCode;
  }

  it("from one address is sent away before anything is done for it, and told when to come again", async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 6; count += 1) statuses.push(await ask("192.0.2.1"));
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
    expect(asked).toBe(3);
    const answer = await app.inject({
      method: "POST",
      url: `${agentApi.enroll}?again`,
      headers: { "x-forwarded-for": "192.0.2.1" },
    });
    expect(answer.json()).toMatchObject({ status: 429, code: "rate-limited" });
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("leaves other addresses alone, and the machines that are members", async () => {
    for (let count = 0; count < 9; count += 1) await ask("192.0.2.1");
    expect(await ask("192.0.2.2")).toBe(200);
    expect(await ask("192.0.2.1", agentApi.bundle)).toBe(200);
  });
});
