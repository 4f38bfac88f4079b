/** Which problem document an error becomes. What nobody foresaw says nothing of itself: the log has it. */
import {
  hasZodFastifySchemaValidationErrors,
  type ZodFastifySchemaValidationError,
} from "fastify-type-provider-zod";
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { agentProblems, refusalOf } from "../../protocol/control/agent-problem.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import { type DatabaseFailure, databaseFailure } from "../database/database-failure.ts";
import { Problem, type ProblemParts, type ProblemPlace } from "./problem.ts";

/** Codes of the catalogue that are told to who asked, by their own name in lower case; all others are our fault (500). */
const statuses: Partial<Record<ErrorCode, number>> = {
  RESOURCE_UNKNOWN: 404,
  RESOURCE_EXISTS: 409,
  RESOURCE_IN_USE: 409,
  RESOURCE_STATE: 409,
  RESOURCE_CHANGED: 412,
  RESOURCE_INVALID: 422,
  LICENCE_INVALID: 422,
  KEY_INVALID: 422,
  SIGNED_TOO_LARGE: 422,
  SIGNED_TRUNCATED: 422,
  SIGNED_BADLY: 422,
  SIGNED_CONTENT: 422,
  DATABASE_UNREACHABLE: 503,
};

/** Fastify's own refusals, by its codes. */
const refusals: Readonly<Record<string, ProblemParts>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: "body-too-large",
    title: "The request's content is larger than this address takes.",
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: "media-type-unsupported",
    title: "The request's content is of a kind that this address does not take.",
  },
};

const databaseProblems: Readonly<Record<DatabaseFailure, ProblemParts>> = {
  unreachable: {
    status: 503,
    code: "database-unreachable",
    title: "The server can't reach its database at the moment.",
    headers: { "retry-after": "5" },
  },
  busy: {
    status: 503,
    code: "busy",
    title: "Another request was in the way. The same request may succeed now.",
    headers: { "retry-after": "1" },
  },
  taken: {
    status: 409,
    code: "resource-exists",
    title: "There is already one of this name.",
  },
  referenced: {
    status: 409,
    code: "resource-in-use",
    title: "Something that is named is not there, or something else still needs it.",
  },
};

const placesMax = 20;

/** The problem that tells of `error`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const parts =
    ofRoom(error) ?? ofValidation(error) ?? ofDatabase(error) ?? ofFramework(error) ?? internal;
  return new Problem(parts, error);
}

const internal: ProblemParts = {
  status: 500,
  code: "internal",
  title: "The server has failed at this. Its log has more, under the id of this request.",
};

function ofRoom(error: unknown): ProblemParts | undefined {
  if (!isBackstayError(error)) return undefined;
  const refusal = refusalOf(error);
  if (refusal !== undefined)
    return { code: refusal, detail: String(error.context["detail"]), ...agentProblems[refusal] };
  const status = statuses[error.code];
  if (status === undefined) return undefined;
  return {
    status,
    code: error.code.toLowerCase().replaceAll("_", "-"),
    title: error.spec.title,
    detail: factsOf(error),
  };
}

/** Facts of our errors are made for people and hold no secrets. */
function factsOf({ context }: BackstayError): string | undefined {
  const facts = Object.entries(context).map(([name, value]) => `${name}: ${value}`);
  return facts.length === 0 ? undefined : facts.join(", ");
}

function ofValidation(error: unknown): ProblemParts | undefined {
  if (!hasZodFastifySchemaValidationErrors(error)) return undefined;
  const part = (error as { validationContext?: string }).validationContext ?? "body";
  const places = error.validation.slice(0, placesMax).map((issue) => placeOf(part, issue));
  return {
    status: 400,
    code: "body-invalid",
    title: "The request is not as it must be.",
    detail: places.map(({ path, message }) => `${path}: ${message}`).join("; "),
    errors: places,
  };
}

function placeOf(part: string, issue: ZodFastifySchemaValidationError): ProblemPlace {
  const steps = (issue.instancePath ?? "").split("/").filter((step) => step !== "");
  return { path: [part, ...steps].join("."), message: issue.message ?? "is not valid" };
}

function ofDatabase(error: unknown): ProblemParts | undefined {
  const failure = databaseFailure(error);
  return failure === undefined ? undefined : databaseProblems[failure];
}

/** Errors that Fastify raises about a request; what they say may quote the request, so that only the kind is told. */
function ofFramework(error: unknown): ProblemParts | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (typeof code === "string" && Object.hasOwn(refusals, code)) return refusals[code];
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode > 499) return undefined;
  return { status: 400, code: "body-invalid", title: "The request is not as it must be." };
}
