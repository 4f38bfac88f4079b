/** Bodies as JSON: UTF-8, no prototype tricks, and no NUL, which one of the databases can't keep. */
import type { FastifyInstance } from "fastify";
import { Problem } from "./problem.ts";

/** `\\u0000` whose backslash is not itself escaped. */
const escapedNul = /(?<!\\)(?:\\\\)*\\u0000/;

/** Reads `application/json`; an empty body is no body. Every other kind of content is refused unless a route reads it. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser("error", "error");
  const decoder = new TextDecoder("utf-8", { fatal: true });
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    (request, body: Buffer, done) => {
      if (body.length === 0) return done(null, undefined);
      let text: string;
      try {
        text = decoder.decode(body);
      } catch {
        return done(badBody("It is not UTF-8."));
      }
      if (escapedNul.test(text)) return done(badBody("It holds a NUL character."));
      void parse(request, text, (error: Error | null, value?: unknown) =>
        error === null ? done(null, value) : done(badBody("It is not JSON.")),
      );
    },
  );
}

function badBody(detail: string): Problem {
  return new Problem({
    status: 400,
    code: "body-invalid",
    title: "The request is not as it must be.",
    detail,
  });
}
