/** Foreign servers of restic's REST protocol, started for tests on a free port of this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect, createServer } from "node:net";

export interface RunningServer {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly processId: number;
  /** Ends it and waits for its end. */
  stop(): Promise<void>;
}

/** restic's rest-server over a folder that it makes; more options as it takes them. */
export async function startRestServer(
  program: string,
  folder: string,
  ...options: string[]
): Promise<RunningServer> {
  const scheme = options.includes("--tls") ? "https" : "http";
  return await startAtFreePort(scheme, (address) => [
    program,
    ...["--path", folder, "--listen", address],
    ...(options.some((option) => option.includes("htpasswd"))
      ? options
      : ["--no-auth", ...options]),
  ]);
}

/** `rclone serve restic` over a folder. */
export async function startRclone(program: string, folder: string): Promise<RunningServer> {
  return await startAtFreePort("http", (address) => [
    program,
    ...["serve", "restic", "--addr", address, folder],
  ]);
}

async function startAtFreePort(
  scheme: string,
  command: (address: string) => readonly string[],
): Promise<RunningServer> {
  const port = await freePort();
  const [program = "", ...args] = command(`127.0.0.1:${port}`);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text) => {
      said = `${said}${text}`.slice(-4000);
    });
  const url = `${scheme}://127.0.0.1:${port}`;
  await answering(child, port, () => said);
  return { url, processId: child.pid ?? 0, stop: () => ended(child) };
}

async function answering(child: ChildProcess, port: number, said: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server did not start: ${said()}`);
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exit;
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}
