/** Answers that are whole: JSON, text, and problems. */
import type { ServerResponse } from "node:http";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import { type Problem, problemContentType } from "../../protocol/local-api/problem.ts";

/** HTTP statuses for the codes that mean something of their own to a caller; all others are 500. */
const statusOfCode: Partial<Record<ErrorCode, number>> = {
  DAEMON_REQUEST: 400,
  DAEMON_DENIED: 403,
  POLICY_UNKNOWN: 404,
  SESSION_NOT_FOUND: 404,
  DAEMON_BUSY: 503,
};

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, "application/json", JSON.stringify(value));
}

export function sendText(response: ServerResponse, text: string): void {
  send(response, 200, "text/plain; charset=utf-8", text);
}

/** Answers with what went wrong. What is no BackstayError becomes INTERNAL, without its text: that is for the log. */
export function sendProblem(response: ServerResponse, error: unknown): void {
  const failure = isBackstayError(error)
    ? error
    : new BackstayError("INTERNAL", { where: "the daemon; see its log" });
  const status = statusOfCode[failure.code] ?? 500;
  const problem: Problem = {
    title: failure.spec.title,
    status,
    code: failure.code,
    kind: failure.kind,
    remedy: failure.remedy,
    exitCode: failure.exitCode,
    context: failure.context,
  };
  send(response, status, problemContentType, JSON.stringify(problem));
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  const close = response.req.complete ? {} : { Connection: "close" };
  response.writeHead(status, { "Content-Type": type, "Content-Length": body.length, ...close });
  response.end(body);
}
