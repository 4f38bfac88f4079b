/** Reads what an engine says: lines of bounded length, each of which must be a message that we know. */
import { repositoryStand } from "../../protocol/control/repository-state.ts";
import type { EngineMessage } from "../../protocol/run-order.ts";

const lineBytesMax = 1024 * 1024;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

export class EngineMessages {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** The messages that `data` completes. Throws what is wrong with them, as a text for people. */
  read(data: Buffer): EngineMessage[] {
    const messages: EngineMessage[] = [];
    let begin = 0;
    for (let end = data.indexOf(0x0a); end >= 0; end = data.indexOf(0x0a, begin)) {
      this.#add(data.subarray(begin, end));
      messages.push(messageOf(Buffer.concat(this.#parts).toString("utf8")));
      this.#parts = [];
      this.#bytes = 0;
      begin = end + 1;
    }
    this.#add(data.subarray(begin));
    return messages;
  }

  #add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > lineBytesMax) throw new Error("it said a line that never ends");
    if (part.length > 0) this.#parts.push(part);
  }
}

/** Checks what we compute with; texts are only shown. */
function messageOf(line: string): EngineMessage {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new Error("it said something that is no message");
  }
  if (!isObject(message) || !isMessage(message))
    throw new Error("it said a message that we do not know");
  return message as unknown as EngineMessage;
}

function isMessage(message: Record<string, unknown>): boolean {
  const { type, progress, issue, report } = message;
  switch (type) {
    case "alive":
      return true;
    case "progress":
      return (
        isObject(progress) &&
        ["filesDone", "bytesDone", "issues", "elapsedMs"].every((name) =>
          isCount(progress[name]),
        ) &&
        Array.isArray(progress["currentFiles"])
      );
    case "issue":
      return isObject(issue) && ["path", "code", "message"].every((name) => isText(issue[name]));
    case "route":
      return isCount(message["route"]);
    case "account":
      return isCount(message["route"]) && typeof message["isRefused"] === "boolean";
    case "stand":
      return isStand(message["stand"]);
    case "recovery":
      return isText(message["keyName"]) && isText(message["password"]);
    case "password-changed":
      return isText(message["keyName"]);
    case "report":
      return (
        isObject(report) &&
        isText(report["outcome"]) &&
        isCount(report["exitCode"]) &&
        isCount(report["issues"])
      );
    default:
      return false;
  }
}

const isCount = (value: unknown): boolean => typeof value === "number" && value >= 0;
const isText = (value: unknown): boolean => typeof value === "string";

function isStand(stand: unknown): boolean {
  return (
    isObject(stand) &&
    repositoryStand.safeParse(stand).success &&
    ["server", "storage"].includes(String(stand["source"]))
  );
}
