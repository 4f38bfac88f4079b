/** An upload over a connection of its own that a test sends piece by piece, or breaks off. */
import { connect, type Socket } from "node:net";
import { basic, type GatewayMachine, type GatewayScene } from "./gateway-scene.ts";

export class OpenUpload {
  /** Status of the answer; undefined if the connection ends without one. */
  readonly status: Promise<number | undefined>;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.status = new Promise((resolve) => {
      socket.once("data", (data) => resolve(Number(data.toString("latin1").split(" ")[1])));
      socket.once("close", () => resolve(undefined));
    });
    socket.on("error", () => undefined);
  }

  send(part: Uint8Array): void {
    this.#socket.write(part);
  }

  /** Breaks the connection. */
  cut(): void {
    this.#socket.destroy();
  }
}

/** Begins an upload of so many bytes; none is sent yet. */
export async function openUpload(
  scene: GatewayScene,
  machine: GatewayMachine,
  target: string,
  sizeBytes: number,
): Promise<OpenUpload> {
  const { port } = scene;
  const socket = await new Promise<Socket>((resolve, reject) => {
    const made = connect(port, "127.0.0.1", () => resolve(made));
    made.once("error", reject);
  });
  socket.write(
    `POST ${machine.path}${target} HTTP/1.1\r\nhost: gateway\r\nauthorization: ${basic(machine)}\r\ncontent-length: ${sizeBytes}\r\n\r\n`,
  );
  return new OpenUpload(socket);
}
