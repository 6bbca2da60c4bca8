import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import { Forbidden, TooMany, Unauthorized, Unavailable } from "./problems.ts"

/** Lets in who has the token of `OPS_TOKEN`, and who has a key with the scope of the route. */
export class Authorization extends HttpApiMiddleware.Service<Authorization>()(
  "ai-mint-executor/api/contract/Authorization",
  {
    security: { bearer: HttpApiSecurity.bearer },
    error: [Unauthorized, Forbidden, TooMany, Unavailable],
    requiredForClient: true
  }
) {}

/** The name of who asks, as the one with the token says: `ai-mint` gives that of the shell's user, a proxy whom it let in. */
export const OPERATOR_HEADER = "x-operator"
