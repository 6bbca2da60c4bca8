import { Clock, Effect } from "effect"
import { parse } from "../domain/Address.ts"
import { limitName, type LimitScope } from "../domain/Limit.ts"
import { format, minus } from "../domain/Usdc.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { decide } from "./commit.ts"
import { refuse } from "./Operator.ts"
import type { Limits } from "./reports/limits.ts"
import type { LimitBody, LimitTarget } from "./requests.ts"
import type { Services } from "./services.ts"

const scopeOf = Effect.fnUntraced(function* ({ token, user }: LimitTarget) {
  if (token !== undefined && user !== undefined) return yield* refuse("Give a token or a user, not both.")
  const text = token ?? user
  if (text === undefined) return "all" satisfies LimitScope
  const address = parse(text)
  if (address === undefined) return yield* refuse(`"${text}" is no address.`)
  return token === undefined ? (`user:${address}` as const) : (`token:${address}` as const)
})

/**
 * No more USDC than this is signed for payments in any 24 hours, by all executors together, from here on. What exceeds it
 * waits. What was signed in the last 24 hours counts.
 */
export const setLimit = Effect.fn("operator.setLimit")(function* (services: Services, body: LimitBody) {
  const { perDay, why } = body
  if (perDay === 0n) return yield* refuse("A limit is more than 0 USDC. To sign nothing: ai-mint pause.")
  const scope = yield* scopeOf(body)
  const said = `the limit of ${limitName(scope)} is ${format(perDay)} USDC a day`
  const decision = { command: "limits set", said, why }
  const did = yield* wasFirst(
    decide(decision, (made, sinceMs) => services.decisions.setLimit({ scope, perDay, reason: why, sinceMs }, made))
  )
  return { command: "limits set", scope, did, limits: yield* limitsNow(services) } satisfies Limits as Limits
})

export const removeLimit = Effect.fn("operator.removeLimit")(function* (services: Services, target: LimitTarget) {
  const { why } = target
  const scope = yield* scopeOf(target)
  const decision = { command: "limits remove", said: `${limitName(scope)} has no limit`, why }
  const did = yield* wasFirst(decide(decision, (made, nowMs) => services.decisions.removeLimit(scope, made, nowMs)))
  return { command: "limits remove", scope, did, limits: yield* limitsNow(services) } satisfies Limits as Limits
})

/** Each limit, what of it is used in the 24 hours until now, and what is left. */
export const limitsNow = Effect.fnUntraced(function* ({ decisions }: Pick<Services, "decisions">) {
  const states = yield* decisions.limits(yield* Clock.currentTimeMillis)
  return states.map(({ scope, perDay, used, reason, sinceMs: since }) => {
    return { scope, perDay, used, left: minus(perDay, used), reason, since }
  })
})

export const limits = (services: Services) =>
  Effect.map(limitsNow(services), (all): Limits => ({
    command: "limits",
    scope: undefined,
    did: false,
    limits: all
  }))
