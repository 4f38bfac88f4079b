/** What starting servers on this machine needs: ports that are free, and processes by their ids. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The first of so many ports in a row of which none is in use. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
}

/** False if there is no such process any more. */
export function isAlive(id: number): boolean {
  return signalled(id, 0);
}

/** Ends processes at once, and waits for their end. */
export async function killAll(ids: readonly number[]): Promise<void> {
  for (const id of ids) signalled(id, "SIGKILL");
  while (ids.some(isAlive)) await sleep(20);
}

function signalled(id: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(id, signal);
    return true;
  } catch {
    return false;
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
