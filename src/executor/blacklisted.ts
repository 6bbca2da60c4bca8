import { Clock, Effect, Ref } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { messages } from "../domain/Task.ts"
import { standstillOf } from "../domain/UsdcState.ts"
import { holdTasks } from "../ops/holdTasks.ts"
import type { WalletOrders } from "../domain/WalletState.ts"

/** Wallets with an order that waits for money are looked at this often: long before a deadline is over. */
const EVERY_MS = 60_000

/**
 * Nobody can pay into a wallet that is on USDC's blacklist: its orders are held with that reason, and not cancelled as
 * unpaid. Gives the wallets that are not on it. Where the chain cannot tell, all of them.
 */
export const makeHoldBlacklisted = Effect.gen(function* () {
  const nextMs = yield* Ref.make(0)
  return Effect.fnUntraced(function* (all: ReadonlyArray<WalletOrders>) {
    const nowMs = yield* Clock.currentTimeMillis
    if (all.length === 0 || nowMs < (yield* Ref.get(nextMs))) return all
    const wallets = all.map(({ wallet }) => wallet.agentAddress)
    const read = yield* Effect.option((yield* ChainClient).readAuthorizations([], wallets))
    if (read._tag === "None") return all
    yield* Ref.set(nextMs, nowMs + EVERY_MS)
    const { usdc } = read.value
    const reasonOf = ({ wallet }: WalletOrders) =>
      standstillOf({ ...usdc, isPaused: false }, { payer: wallet.agentAddress })
    const barred = all.flatMap((one) => {
      const standstill = reasonOf(one)
      return standstill === undefined
        ? []
        : one.pending.map(({ id }) => ({ taskId: id, reason: messages.held(standstill.reason) }))
    })
    if (barred.length === 0) return all
    yield* holdTasks(barred)
    return all.filter((one) => reasonOf(one) === undefined)
  })
})
