import { Effect } from "effect"
import { parse } from "../domain/Address.ts"
import type { PauseScope } from "../ledger/DecisionRepo.ts"
import { wasFirst } from "../ledger/TaskRepo.ts"
import { decide } from "./commit.ts"
import { findWallet } from "./find.ts"
import { refuse } from "./Operator.ts"
import type { Paused } from "./reports/wallets.ts"
import type { PauseBody } from "./requests.ts"
import type { Services } from "./services.ts"

const scopeOf = Effect.fnUntraced(function* (services: Services, { token, wallet }: PauseBody) {
  if (token !== undefined && wallet !== undefined) {
    return yield* refuse("Give a token or a wallet, not both.")
  }
  if (wallet !== undefined) return `wallet:${(yield* findWallet(services, wallet)).id}` as const
  if (token === undefined) return "all" as const
  const address = parse(token)
  return address === undefined ? yield* refuse(`"${token}" is no address.`) : (`token:${address}` as const)
})

/** `everything`, `token 0x…`, `wallet …`. */
const scopeName = (scope: PauseScope): string => (scope === "all" ? "everything" : scope.replace(":", " "))

/**
 * No new payment is signed from here on, for everything, a token or a wallet, until it is resumed; a restart changes
 * nothing about it. Money is still seen, orders are still funded and cancelled, and what is on its way is followed.
 */
export const pause = Effect.fn("operator.pause")(function* (services: Services, target: PauseBody) {
  const { why } = target
  const scope = yield* scopeOf(services, target)
  const decision = { command: "pause", said: `${scopeName(scope)} is paused`, why }
  const did = yield* wasFirst(
    decide(decision, (made, sinceMs) => services.decisions.pause({ scope, reason: why, sinceMs }, made))
  )
  return { command: "pause", scope, did, pauses: yield* pausesNow(services) } satisfies Paused as Paused
})

export const resume = Effect.fn("operator.resume")(function* (services: Services, target: PauseBody) {
  const { why } = target
  const scope = yield* scopeOf(services, target)
  const decision = { command: "resume", said: `${scopeName(scope)} goes on`, why }
  const did = yield* wasFirst(decide(decision, (made, nowMs) => services.decisions.resume(scope, made, nowMs)))
  return { command: "resume", scope, did, pauses: yield* pausesNow(services) } satisfies Paused as Paused
})

/** What is paused now, longest first. */
export const pausesNow = ({ decisions }: Pick<Services, "decisions">) =>
  Effect.map(decisions.pauses, (all) => all.map(({ scope, reason, sinceMs: since }) => ({ scope, reason, since })))

export const pauses = (services: Services) =>
  Effect.map(pausesNow(services), (all): Paused => ({
    command: "pauses",
    scope: undefined,
    did: false,
    pauses: all
  }))
