/** Figures of the gateway for Prometheus. Labels have few values, never ids. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface GatewayMetrics {
  /** `operation`: create, upload, download, list, stat, remove. */
  readonly requests: Counter<"operation">;
  /** `direction`: in, out. */
  readonly bytes: Counter<"direction">;
  readonly refused: Counter<"reason">;
  /** `whose`: machine, tenant. */
  readonly quotaWarnings: Counter<"whose">;
  readonly underWay: Gauge;
}

export function gatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: "backstay_gateway_requests_total",
      help: "Requests to the gateway that an account was found for.",
      labelNames: ["operation"],
      registers,
    }),
    bytes: new Counter({
      name: "backstay_gateway_bytes_total",
      help: "Bytes of files that the gateway has taken in and given out.",
      labelNames: ["direction"],
      registers,
    }),
    refused: new Counter({
      name: "backstay_gateway_refused_total",
      help: "Requests that the gateway has refused.",
      labelNames: ["reason"],
      registers,
    }),
    quotaWarnings: new Counter({
      name: "backstay_gateway_quota_warnings_total",
      help: "How often a machine or a tenant went past the warning limit of its storage.",
      labelNames: ["whose"],
      registers,
    }),
    underWay: new Gauge({
      name: "backstay_gateway_requests_under_way",
      help: "Requests that the gateway is working on.",
      registers,
    }),
  };
}
