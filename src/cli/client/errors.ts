import { type Schema, SchemaIssue } from "effect"
import type { Retry, SseError } from "effect/encoding/Sse"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { BadRequestProblem, InternalServerErrorProblem } from "effect/http-api/HttpApiError"
import type { Conflict, Forbidden, NotFound, TooMany, Unauthorized, Unavailable } from "../../api/contract/problems.ts"
import { opsUrl, type SettingsShape } from "../../config/Settings.ts"
import { type OperatorError, Refused, Unanswered } from "../../operator/Operator.ts"

/** How a question to the executor may fail. */
export type AskError =
  | NotFound
  | Conflict
  | Unauthorized
  | Forbidden
  | TooMany
  | Unavailable
  | BadRequestProblem
  | InternalServerErrorProblem
  | HttpClientError
  | Schema.SchemaError
  | SseError
  | Retry

/** Where the executor listens, of the settings. */
export type Place = Pick<SettingsShape, "opsHost" | "opsPort" | "opsToken">

/** What is said besides, where there is no answer. */
export interface Advice {
  /** Whether the command can be carried out without the executor. */
  readonly orDirect: boolean
}

/** What a failure means to the person who typed the command, and what they can do. */
export const operatorErrorOf = (error: AskError, place: Place, advice: Advice): OperatorError => {
  const url = opsUrl(place)
  switch (error._tag) {
    case "NotFound":
      return new Refused({ message: error.detail ?? untold(url, error.title), isMissing: true })
    case "Conflict":
      return new Refused({ message: error.detail ?? untold(url, error.title), code: error.code })
    case "TooMany":
      return unanswered("Busy", error.detail ?? untold(url, error.title))
    case "Unavailable":
      return new Unanswered({
        reason: "Unavailable",
        message: error.detail ?? untold(url, error.title),
        ...(error.moneyMayHaveMoved ? { isInDoubt: true } : {})
      })
    case "Unauthorized":
      return new Refused({ message: unauthorized(place, url) })
    case "Forbidden":
      return new Refused({
        message: `The executor at ${url} refuses this. ${error.detail ?? "See OPS_TOKEN and OPS_HOST."}`
      })
    case "BadRequestProblem":
      return unanswered("BadRequest", badRequest(error))
    case "InternalServerErrorProblem":
      return unanswered("Broken", `The executor at ${url} could not answer: its log says why.`)
    case "HttpClientError":
      return ofHttp(error, url, advice)
    case "SchemaError":
    case "SseError":
    case "Retry":
      return unknownWay(url)
  }
}

const unanswered = (reason: Unanswered["reason"], message: string): Unanswered => new Unanswered({ reason, message })

/** Where a problem has no detail. */
const untold = (url: string, title: string): string => `The executor at ${url} answers "${title}", and says no more.`

const unauthorized = ({ opsToken }: Place, url: string): string =>
  opsToken === undefined
    ? `The executor at ${url} asks for a token: set OPS_TOKEN here to what it is where the executor runs.`
    : `The executor at ${url} does not take this token: OPS_TOKEN here is not what it is where the executor runs. ` +
      "Under pm2 that may be the one of its first start, not the one that .env has now: pm2 env 0 shows it."

const badRequest = ({ errors = [], detail }: BadRequestProblem): string =>
  errors.length === 0 ? (detail ?? "The executor does not understand this command.") : cannotBeAsked(errors)

/** What the contract says about a request that it does not allow. */
export const notAllowed = ({ issue }: Schema.SchemaError): Unanswered => {
  const errors = issuesOf(issue).issues.map(({ path = [], message }) => ({ path: path.map(String), message }))
  return unanswered("BadRequest", cannotBeAsked(errors))
}

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const cannotBeAsked = (errors: Required<BadRequestProblem>["errors"]): string =>
  ["This cannot be asked:", ...errors.map(({ path, message }) => `  - ${path.join(".")}: ${message}`)].join("\n")

const ofHttp = ({ reason, cause }: HttpClientError, url: string, { orDirect }: Advice): Unanswered => {
  if (reason._tag === "TransportError") {
    const code = networkErrorCode(cause)
    return unanswered("Away", UNREACHABLE.has(code) ? unreachable(url, code, orDirect) : shortenUrl(url, code))
  }
  const status = "response" in reason ? reason.response.status : 200
  return status < 400
    ? unknownWay(url)
    : unanswered("Broken", `${url} answers with HTTP status ${status}: is OPS_PORT the executor's?`)
}

/** The connection was never made: nothing was asked. Node's codes for a connect or a look-up that failed. */
const UNREACHABLE = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"])

/** The first code that any of the causes has, outermost first. */
const networkErrorCode = (cause: unknown): string => {
  for (let at: unknown = cause, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") return at.code
  }
  return "no connection"
}

const unreachable = (url: string, code: string, orDirect: boolean): string =>
  [
    `No executor answers at ${url} (${code}).`,
    "Start it (npm start, or pm2 start ecosystem.config.cjs), or set OPS_HOST and OPS_PORT to where it listens.",
    ...(orDirect ? ["Without an executor: the same with --direct, straight on database and chain."] : [])
  ].join("\n   ")

const shortenUrl = (url: string, code: string): string =>
  `The connection to ${url} broke off (${code}): what was asked may be done. Look before you repeat it.`

const unknownWay = (url: string): Unanswered =>
  unanswered("Broken", `${url} answers in a way unknown here: another version of the executor, or another program?`)
