import { Clock, Effect } from "effect"
import { parse } from "../domain/Address.ts"
import { limitName, type LimitScope } from "../domain/Limit.ts"
import { format, minus } from "../domain/Usdc.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { decide } from "./commit.ts"
import { findKey } from "./keys.ts"
import { refuse } from "./Operator.ts"
import type { Limits } from "./reports/limits.ts"
import type { LimitBody, LimitTarget } from "./requests.ts"
import type { Services } from "./services.ts"

/** The limit that is meant, and what people call it. */
interface Target {
  readonly scope: LimitScope
  readonly name: string
}

const targetOf = Effect.fnUntraced(function* (services: Services, { token, user, key }: LimitTarget) {
  const given = [token, user, key].filter((one) => one !== undefined)
  if (given.length > 1) return yield* refuse("Give a token, a user or a key, and only one of them.")
  if (key !== undefined) {
    const { id, name } = yield* findKey(services, key)
    return { scope: `key:${id}`, name: `key ${name}` } satisfies Target as Target
  }
  const text = token ?? user
  if (text === undefined) return { scope: "all", name: limitName("all") } satisfies Target as Target
  const address = parse(text)
  if (address === undefined) return yield* refuse(`"${text}" is no address.`)
  const scope: LimitScope = token === undefined ? `user:${address}` : `token:${address}`
  return { scope, name: limitName(scope) } satisfies Target as Target
})

/**
 * No more USDC than this is signed for payments in any 24 hours, by all executors together, from here on. What exceeds it
 * waits. What was signed in the last 24 hours counts.
 */
export const setLimit = Effect.fn("operator.setLimit")(function* (services: Services, body: LimitBody) {
  const { perDay, why } = body
  if (perDay === 0n) return yield* refuse("A limit is more than 0 USDC. To sign nothing: ai-mint pause.")
  const { scope, name } = yield* targetOf(services, body)
  const said = `the limit of ${name} is ${format(perDay)} USDC a day`
  const decision = { command: "limits set", said, why }
  const did = yield* wasFirst(
    decide(decision, (made, sinceMs) => services.decisions.setLimit({ scope, perDay, reason: why, sinceMs }, made))
  )
  return { command: "limits set", scope, did, limits: yield* limitsNow(services) } satisfies Limits as Limits
})

export const removeLimit = Effect.fn("operator.removeLimit")(function* (services: Services, target: LimitTarget) {
  const { why } = target
  const { scope, name } = yield* targetOf(services, target)
  const decision = { command: "limits remove", said: `${name} has no limit`, why }
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
