/** A machine with keys of its own that is enrolled in a management scene, and signs its requests. */
import { randomBytes } from "node:crypto";
import { signRequest } from "../../protocol/control/request-signature.ts";
import { type MadeMachine, madeMachine } from "../identity/made-machine.ts";
import type { Answered, ManagementScene, Method } from "./management-scene.ts";

export class EnrolledMachine {
  readonly id: string;
  readonly machine: MadeMachine;
  /** Text of the token by which it joined. */
  readonly token: string;
  readonly #scene: ManagementScene;

  private constructor(scene: ManagementScene, machine: MadeMachine, id: string, token: string) {
    this.#scene = scene;
    this.machine = machine;
    this.id = id;
    this.token = token;
  }

  static async enrol(
    scene: ManagementScene,
    owner: "a" | "b",
    name: string,
  ): Promise<EnrolledMachine> {
    const { rooms, ground, tenantIds } = scene;
    const machine = madeMachine(name);
    const { token } = await rooms.enrolmentTokens.create("test", tenantIds[owner], {
      name: `for ${name}`,
      usesMax: 1,
      expiresMs: ground.now() + 86_400_000,
      groupId: null,
      labels: {},
      networks: [],
      needsApproval: false,
      agentId: null,
    });
    const outcome = await rooms.enrolments.enrol(machine.request(token), "192.0.2.1");
    if (outcome.kind !== "admitted") throw new Error(outcome.kind);
    return new EnrolledMachine(scene, machine, outcome.answer.agentId, token);
  }

  /** Value of the header that signs this request. */
  signature(method: string, path: string, text = ""): string {
    return signRequest(
      {
        issuer: this.id,
        method,
        path,
        body: Buffer.from(text),
        timeMs: this.#scene.ground.now(),
        nonce: randomBytes(16).toString("base64url"),
      },
      this.machine.identityKey,
    );
  }

  /** Asks as this machine. */
  async ask(method: Method, path: string): Promise<Answered> {
    const authorization = this.signature(method, path);
    return await this.#scene.ask(method, path, { headers: { authorization } });
  }
}
