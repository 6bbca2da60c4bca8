import { Effect, Scope } from "effect"
import { HttpRouter, HttpServerRequest, ProblemDetails } from "effect/http"
import { actorWords, CurrentCaller } from "../../operator/Caller.ts"
import { Operator } from "../../operator/Operator.ts"
import { Admission } from "../admission.ts"
import { OPERATOR_HEADER } from "../contract/Authorization.ts"

const PATH = "/mcp"

const BEARER = /^Bearer (\S+)$/i

/**
 * The tools of `ai-mint mcp` over HTTP, for those whom the API's routes let in. Their modules are loaded at the first
 * request: an executor that no agent asks starts without them.
 */
export const layer = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const { admit } = yield* Admission
    const operator = yield* Operator
    const scope = yield* Effect.scope
    const server = yield* Effect.cached(
      Effect.promise(() => import("./http.ts")).pipe(
        Effect.flatMap(({ make }) => make(PATH)),
        Effect.provideService(Operator, operator),
        // It outlives the request that happens to be the first, also where that client goes away meanwhile.
        Effect.provideService(Scope.Scope, scope),
        Effect.uninterruptible,
        Effect.orDie
      )
    )
    yield* router.add(
      "*",
      PATH,
      Effect.gen(function* () {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const caller = yield* admit("ops", BEARER.exec(headers["authorization"] ?? "")?.[1] ?? "")
        const words = actorWords(headers[OPERATOR_HEADER] ?? "", `${caller.words}, by MCP`)
        return yield* Effect.provideService(yield* server, CurrentCaller, { ...caller, words })
      }).pipe(Effect.catchTags({ Unauthorized: problem, Forbidden: problem, TooMany: problem, Unavailable: problem }))
    )
  })
)

const problem = ({
  type,
  status,
  title,
  detail
}: {
  readonly type: string
  readonly status: number
  readonly title: string
  readonly detail?: string | undefined
}) => Effect.succeed(ProblemDetails.toResponse({ type, status, title, ...(detail === undefined ? {} : { detail }) }))
