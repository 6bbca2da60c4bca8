import { Clock, Effect } from "effect"
import { Settings } from "../config/Settings.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { Wallets } from "./Wallets.ts"
import { every } from "./every.ts"

/** More wallets than this at once wait for the next tick, the longest overdue first. */
const WALLETS_MAX = 1_000

/**
 * Wakes every wallet that has something to do by now, whoever's work it was before: after a restart, a lost wake-up
 * or another program's death. Gives how many.
 */
export const mintTick = Effect.fn("MintLoop.tick")(function* () {
  const repo = yield* TaskRepo
  const wallets = yield* Wallets
  const due = yield* repo.dueWallets(yield* Clock.currentTimeMillis, WALLETS_MAX)
  yield* Effect.forEach(due, wallets.wake, { discard: true })
  return due.length
})

export const mintLoop = Effect.gen(function* () {
  const { mintInterval } = yield* Settings
  return yield* every("Mint tick", mintInterval, mintTick())
})
