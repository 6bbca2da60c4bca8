import { ProblemDetails } from "effect/http"
import { type ProblemCode, problemWords } from "../domain/ProblemCode.ts"

/** What the status alone says. */
const CODES: Readonly<Record<number, ProblemCode>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  406: "unsupported",
  408: "unavailable",
  409: "refused",
  413: "too_large",
  415: "unsupported",
  417: "unsupported",
  429: "too_many_requests",
  431: "too_large",
  503: "unavailable"
}

/** A request that only asks leaves nothing in doubt (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])

const codeOf = (status: number, method: string): ProblemCode =>
  CODES[status] ?? (status < 500 ? "bad_request" : SAFE.has(method) ? "internal_error" : "in_doubt")

interface Problem {
  readonly status: number
  readonly title: string
  readonly detail?: string
}

/** A problem that no class of the definition makes, with what every problem says to a program. */
export const problemBody = <P extends Problem>(problem: P, method = "GET") => ({
  type: ProblemDetails.blankType,
  ...problem,
  ...problemWords(codeOf(problem.status, method))
})
