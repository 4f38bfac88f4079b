/** Figures of this server process for Prometheus. Labels have few values: routes as declared, never ids. */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { App } from "../http/http-app.ts";
import type { TrafficFigures } from "../http/traffic-limits.ts";

const durationsSeconds = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** Measures every request to `app`; the rooms add their own figures to the registry. */
export function measure(app: App, figures: TrafficFigures): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: "backstay_http_request_seconds",
    help: "Time from a request's headers to the end of its answer. Held wake requests are not in it.",
    labelNames: ["method", "route", "status"],
    buckets: durationsSeconds,
    registers: [registry],
  });
  app.addHook("onResponse", async (request, reply) => {
    const { config, url = "none" } = request.routeOptions;
    if (config.isHeld === true) return;
    const labels = { method: request.method, route: url, status: String(reply.statusCode) };
    requests.observe(labels, reply.elapsedTime / 1000);
  });
  new Gauge({
    name: "backstay_http_requests_under_way",
    help: "Requests that are being worked on, without those that are held.",
    labelNames: ["traffic"],
    registers: [registry],
    collect() {
      for (const [traffic, count] of Object.entries(figures.underWay)) this.set({ traffic }, count);
    },
  });
  new Gauge({
    name: "backstay_event_loop_late_seconds",
    help: "How late the event loop was lately; agents are put off from two seconds on.",
    registers: [registry],
    collect() {
      this.set(figures.lagMs / 1000);
    },
  });
  return registry;
}
