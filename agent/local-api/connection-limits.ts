/** How many connections there may be: enough for people, few enough that nobody keeps the others out. */
import type { Socket } from "node:net";
import type { Caller } from "./caller.ts";

/** Of all who may only look, together: they can't take away the places of those who control. */
const lookersMax = 24;
/** Of one user among them. */
const lookersOfUserMax = 8;
const controllersMax = 64;

export class ConnectionLimits {
  readonly #callers = new Map<Socket, Caller>();

  /** Counts a connection until it closes; false if there are too many already. */
  admit(socket: Socket, caller: Caller): boolean {
    const others = [...this.#callers.values()].filter(
      ({ mayControl }) => mayControl === caller.mayControl,
    );
    const ofUser = others.filter(({ text }) => text === caller.text).length;
    const isFull = caller.mayControl
      ? others.length >= controllersMax
      : others.length >= lookersMax || ofUser >= lookersOfUserMax;
    if (isFull) return false;
    this.#callers.set(socket, caller);
    socket.once("close", () => this.#callers.delete(socket));
    return true;
  }

  /** The caller of a connection that was admitted. */
  callerOf(socket: Socket): Caller | undefined {
    return this.#callers.get(socket);
  }
}
