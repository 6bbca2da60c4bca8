import { Clock, Duration, Effect, Ref } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { messages } from "../domain/Task.ts"
import { standstillOf } from "../domain/UsdcState.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import * as Log from "../ops/Log.ts"
import type { WalletOrders } from "../domain/WalletState.ts"
import { Orders } from "./Orders.ts"

/** How often wallets with an order that waits for money are checked: far more often than a deadline passes. */
const EVERY_MS = 60_000

/**
 * No deposit can reach a wallet that is on USDC's blacklist: its orders are held with that reason, and not cancelled as
 * unpaid. Gives the wallets that are not on it, and all of them where the chain cannot be read.
 */
export const makeHoldBlacklisted = Effect.gen(function* () {
  const chain = yield* ChainClient
  const { holdTasks } = yield* Orders
  const nextMs = yield* Ref.make(0)
  return Effect.fnUntraced(function* (all: ReadonlyArray<WalletOrders>) {
    const nowMs = yield* Clock.currentTimeMillis
    if (all.length === 0 || nowMs < (yield* Ref.get(nextMs))) return all
    const wallets = all.map(({ wallet }) => wallet.agentAddress)
    const read = yield* Effect.option(chain.readAuthorizations([], wallets))
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

/** The check reads all wallets, and may take one part in so many of the time: with very many wallets it runs less often. */
const PAUSES_OF_ITS_LENGTH = 40

/**
 * Stops wallets whose row another program has changed, or that share an account. What is read of a wallet says so at once:
 * this writes it down, and finds it in wallets of which nothing is read.
 */
export const makeCheckWallets = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const nextMs = yield* Ref.make(0)
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs < (yield* Ref.get(nextMs))) return
    const [took, stopped] = yield* Effect.timed(repo.checkWallets(nowMs))
    yield* Ref.set(nextMs, nowMs + PAUSES_OF_ITS_LENGTH * Duration.toMillis(took))
    for (const { agentAddress, reason } of stopped) {
      yield* Log.error(`🚨 Wallet ${agentAddress} is stopped: ${reason}`, { wallet: agentAddress })
    }
  })
})
