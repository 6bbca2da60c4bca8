import { Context, Effect, Layer, Option, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Permission } from "../domain/Scope.ts"
import { actorWords, type Caller, CurrentCaller } from "../operator/Caller.ts"
import { Admission } from "./admission.ts"
import type { Api } from "./contract/Api.ts"
import { Authorization, OPERATOR_HEADER } from "./contract/Authorization.ts"
import { OfEveryone, permissionOf } from "./contract/permissions.ts"
import { Forbidden } from "./contract/problems.ts"

/** The one group that `V1_TOKEN` opens. */
const V1_GROUP: keyof (typeof Api)["groups"] = "v1"

/** Lets in who may come in, and to a route who may use it. */
export const layer = Layer.effect(
  Authorization,
  Effect.map(Admission, ({ admit }) =>
    Authorization.of({
      bearer: Effect.fnUntraced(function* (route, { credential, endpoint, group }) {
        const caller = yield* admit(group.identifier === V1_GROUP ? "v1" : "ops", Redacted.value(credential))
        yield* mayUse(caller, endpoint.annotations)
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const words = actorWords(headers[OPERATOR_HEADER] ?? "", caller.words)
        return yield* Effect.provideService(route, CurrentCaller, { ...caller, words })
      })
    })
  )
)

const mayUse = (caller: Caller, annotations: Context.Context<never>): Effect.Effect<void, Forbidden> => {
  const needed = permissionOf(annotations)
  if (!caller.may.has(needed)) return Effect.fail(new Forbidden({ detail: LACKS(needed) }))
  return caller.user !== undefined && Option.isSome(Context.getOption(annotations, OfEveryone))
    ? Effect.fail(BOUND)
    : Effect.void
}

const LACKS = (needed: Permission): string =>
  needed === "root"
    ? "No key may do this: it needs the token of OPS_TOKEN."
    : `This key may not do that: it lacks the scope ${needed}. Ask the operator for a key that has it.`

const BOUND = new Forbidden({
  detail: "This key is bound to one person, and this is about all of them: ask about an order or the wallet instead."
})
