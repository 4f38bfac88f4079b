/** The descriptor below a Node socket, for questions that only the system answers. */
import type { Socket } from "node:net";

/** Undefined if the socket is closed, or this Node does not show it. */
export function socketDescriptor(socket: Socket): number | undefined {
  const handle = (socket as { _handle?: { fd?: unknown } | null })._handle;
  const descriptor = handle?.fd;
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}
