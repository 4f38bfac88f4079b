/** Whether what answers at an address is the server: by pins of its keys, or by authorities that the machine trusts. */
import type { TLSSocket } from "node:tls";
import { machineAuthorities, pinProblem } from "../../platform/server-pins.ts";

export interface ServerTrust {
  /** `sha256/…` of the server's certificate or of one above it; empty: authorities decide. */
  readonly pins: readonly string[];
  /** More authorities than the machine has, PEM. */
  readonly authorities?: string | undefined;
}

/** Authorities of the machine, and a private one if there is one. */
export function authoritiesOf({ authorities }: ServerTrust): string[] {
  return [...machineAuthorities(), ...(authorities === undefined ? [] : [authorities])];
}

/** Why the peer isn't believed; undefined if it is. To be asked when the handshake has ended, before anything is sent. */
export function distrustOf(
  socket: TLSSocket,
  host: string,
  { pins }: ServerTrust,
  nowMs: number,
): string | undefined {
  if (pins.length > 0) return pinProblem(socket, host, pins, nowMs);
  return socket.authorized ? undefined : (reasonOf(socket.authorizationError) ?? "not trusted");
}

function reasonOf(error: unknown): string | undefined {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : undefined;
}
