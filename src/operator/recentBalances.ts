import { Clock, Duration, Effect, HashMap, Ref } from "effect"
import type { Balances, ChainClient } from "../chain/ChainClient.ts"
import type { Address } from "../domain/Address.ts"
import { gather } from "../ops/gather.ts"

/** Balances in answers to programs may be this old: the nodes are needed for payments, and many programs may ask. */
const KEPT_NANOS = Duration.toNanosUnsafe(Duration.seconds(1))

interface Kept {
  readonly balances: Balances
  readonly atNanos: bigint
}

/**
 * The balances of wallets in a confirmed block that was read within the last second. What many ask in the same moment is
 * one question to a node. For what is shown, never for a decision.
 */
export const makeRecentBalances = Effect.fnUntraced(function* ({ readBalances }: ChainClient["Service"]) {
  const kept = yield* Ref.make<ReadonlyMap<Address, Kept>>(new Map())

  const askAll = Effect.fnUntraced(function* (wallets: ReadonlyArray<Address>) {
    const nowNanos = yield* Clock.monotonicTimeNanos
    const known = [...(yield* Ref.get(kept))].filter(([, { atNanos }]) => nowNanos - atNanos < KEPT_NANOS)
    const fresh = new Map(known)
    const missing = wallets.filter((wallet) => !fresh.has(wallet))
    if (missing.length > 0) {
      const balances = yield* readBalances(missing)
      for (const wallet of missing) fresh.set(wallet, { balances, atNanos: nowNanos })
    }
    yield* Ref.set(kept, fresh)
    // Every wallet that is asked for has an answer by now.
    const answers = HashMap.fromIterable(fresh)
    return wallets.map((wallet) => HashMap.getUnsafe(answers, wallet).balances)
  })

  return gather({ inTurn: true, askAll, isShared: () => true })
})
