import { Cause, Clock, Effect } from "effect"
import type { ChainError } from "../chain/ChainClient.ts"
import { isMove, stepsOf } from "../domain/NextStep.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import { Settings } from "../config/Settings.ts"
import { type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"
import type { Turn } from "./agenda.ts"
import type { Left } from "./left.ts"
import { Orders } from "./Orders.ts"
import { Outage } from "./Outage.ts"
import { LOCKED_PAUSE_MS } from "./pace.ts"

/** A wallet that met a defect is left alone for so long: nothing is sent before the chain was read again. */
const PARKED_MS = 60_000

const afterTrouble = (pauseMs: number) =>
  Effect.map(Clock.currentTimeMillis, (nowMs): Turn => ({ dueMs: nowMs + pauseMs, inTrouble: true }))

/** Rows that another transaction holds are this wallet's alone: it waits, and the others go on. */
const waitForRows = Effect.fnUntraced(function* (walletId: WalletId, { message }: LedgerError) {
  yield* Log.warnOnce(`contended:${walletId}`, `⚠️ A wallet waits for rows that another program holds: ${message}`)
  return yield* afterTrouble(LOCKED_PAUSE_MS)
})

/** What the ledger refuses to write is a row of this wallet: only this wallet stops. */
const waitForRow = Effect.fnUntraced(function* (walletId: WalletId, { message }: LedgerError) {
  const words = `A row of wallet ${walletId} cannot be written, and its work waits until it can: ${message}`
  yield* Log.warnOnce(`unwritable:${walletId}`, `⚠️ ${words}`)
  yield* Incidents.raise(`unwritable:${walletId}`, words)
  return yield* afterTrouble(PARKED_MS)
})

/** The chain does not answer: the orders of the wallet that would have had their turn say so. */
const makeNoteTrouble = Effect.gen(function* () {
  const { maxRetryCount } = yield* Settings
  const repo = yield* TaskRepo
  const { noteWaiting } = yield* Orders
  return (walletId: WalletId, { reason }: ChainError) =>
    Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      const { orders } = stepsOf(yield* repo.walletWork(walletId), { nowMs, maxRetryCount })
      for (const { task, step, isOurs } of orders) {
        if (isOurs && isMove(step)) yield* noteWaiting(task, `the chain cannot be read (${reason})`)
      }
    }).pipe(Effect.ignore)
})

/** Work of a wallet whose trouble ends with it: the environment's costs a pause, a defect parks the wallet. */
export const makeGuarded = Effect.gen(function* () {
  const outage = yield* Outage
  const noteTrouble = yield* makeNoteTrouble

  const pauseAfter = Effect.fnUntraced(function* (walletId: WalletId, error: ChainError | LedgerError) {
    if (error._tag === "LedgerError" && error.reason === "Contended") return yield* waitForRows(walletId, error)
    if (error._tag === "LedgerError" && error.reason === "Rejected") return yield* waitForRow(walletId, error)
    const pauseMs = yield* outage.failed
    const said = `⚠️ Wallets pause for ${Math.ceil(pauseMs / 1000)}s: ${error.message}`
    yield* Log.warnOnce(`turn:${error.operation}`, said)
    return yield* afterTrouble(pauseMs)
  })

  return (
    walletId: WalletId,
    work: Effect.Effect<Left & Partial<Turn>, ChainError | LedgerError>
  ): Effect.Effect<Turn> =>
    work.pipe(
      Effect.tapError((error) => (error._tag === "ChainError" ? noteTrouble(walletId, error) : Effect.void)),
      Effect.map((left): Turn => ({ inTrouble: false, ...left })),
      Effect.catch((error) => pauseAfter(walletId, error)),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : parkAfter(walletId, cause)
      )
    )
})

const parkAfter = Effect.fnUntraced(function* (walletId: WalletId, cause: Cause.Cause<never>) {
  yield* Metrics.walletParked
  yield* Log.error(`🚨 Wallet ${walletId} is parked after a defect`, { wallet: walletId, cause })
  return yield* afterTrouble(PARKED_MS)
})
