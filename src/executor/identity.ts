import { Clock, Duration, Effect, Ref } from "effect"
import * as Log from "../ops/Log.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"

/** It looks at all wallets, and may take this part of the time: with very many of them it is done less often. */
const PAUSES_OF_ITS_LENGTH = 40

/**
 * Stops wallets whose row another program has changed, or that share an account. What is read of a wallet says so at once:
 * this writes it down, and finds it in wallets of which nothing is read.
 */
export const makeCheckWallets = Effect.gen(function* () {
  const nextMs = yield* Ref.make(0)
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs < (yield* Ref.get(nextMs))) return
    const [took, stopped] = yield* Effect.timed((yield* TaskRepo).checkWallets(nowMs))
    yield* Ref.set(nextMs, nowMs + PAUSES_OF_ITS_LENGTH * Duration.toMillis(took))
    for (const { agentAddress, reason } of stopped) {
      yield* Log.error(`🚨 Wallet ${agentAddress} is stopped: ${reason}`, { wallet: agentAddress })
    }
  })
})
