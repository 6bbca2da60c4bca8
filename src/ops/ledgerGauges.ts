import { Clock, Effect, Metric } from "effect"
import { BATCH_STATUSES } from "../domain/Batch.ts"
import { STATUSES } from "../domain/Task.ts"
import type { LedgerFigures, Waiting } from "../ledger/WatchRepo.ts"

const tasks = Metric.gauge("ai_mint_tasks", { description: "Orders by status, and whether they wait for a person" })

const tasksCost = Metric.gauge("ai_mint_tasks_cost_usdc", { description: "Cost of all orders by status, in USDC" })

const batches = Metric.gauge("ai_mint_batches", { description: "Payments by status" })

const deposited = Metric.gauge("ai_mint_usdc_deposited", { description: "USDC that came into the wallets" })

const paid = Metric.gauge("ai_mint_usdc_paid", { description: "USDC that was paid for mints" })

const refunded = Metric.gauge("ai_mint_usdc_refunded", { description: "USDC that went back" })

const credit = Metric.gauge("ai_mint_usdc_credit", { description: "USDC of deposits that nothing has used" })

const dueAge = Metric.gauge("ai_mint_oldest_due_age_seconds", {
  description: "For how long the longest overdue row has been due; 0 where nothing is overdue"
})

const readAt = Metric.gauge("ai_mint_ledger_read_timestamp_seconds", {
  description: "When these figures were read from the ledger, in seconds since 1970"
})

/** How many there are of something that should not last, and for how long the oldest has been so. */
const waiting = (name: string, what: string) => ({
  count: Metric.gauge(name, { description: `${what} now` }),
  age: Metric.gauge(`${name}_oldest_age_seconds`, { description: `${what}: age of the oldest; 0 where there is none` })
})

const unknown = waiting("ai_mint_unknown_payments", "Payments whose outcome the chain has not shown")
const undelivered = waiting("ai_mint_undelivered", "Payments that are made and not delivered")
const held = waiting("ai_mint_held_tasks", "Open orders that wait for a person")
const stopped = waiting("ai_mint_stopped_wallets", "Wallets that are stopped")
const limited = Metric.gauge("ai_mint_limited_tasks", { description: "Orders that wait for a limit now" })

const BASE_UNITS = 1_000_000

/** As a number: close enough for a graph, and nothing is decided by it. */
const inUsdc = (amount: bigint): number => Number(amount) / BASE_UNITS

const ageSeconds = (sinceMs: number | undefined, nowMs: number): number =>
  sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs) / 1000

/** Every status, as one that no row has any more must be shown as zero. */
const showTasks = (figures: LedgerFigures["tasks"]) =>
  Effect.forEach(
    STATUSES,
    (status) => {
      const ofStatus = figures.filter((one) => one.status === status)
      const cost = ofStatus.reduce((sum, one) => sum + one.cost, 0n)
      const count = (isHeld: boolean) => ofStatus.reduce((sum, one) => sum + (one.held === isHeld ? one.count : 0), 0)
      return Effect.all(
        [
          Metric.update(Metric.withAttributes(tasks, { status, held: "false" }), count(false)),
          Metric.update(Metric.withAttributes(tasks, { status, held: "true" }), count(true)),
          Metric.update(Metric.withAttributes(tasksCost, { status }), inUsdc(cost))
        ],
        { discard: true }
      )
    },
    { discard: true }
  )

const showBatches = (figures: LedgerFigures["batches"]) =>
  Effect.forEach(
    BATCH_STATUSES,
    (status) => {
      const count = figures.reduce((sum, one) => sum + (one.status === status ? one.count : 0), 0)
      return Metric.update(Metric.withAttributes(batches, { status }), count)
    },
    { discard: true }
  )

const showWaiting = ({ count, age }: ReturnType<typeof waiting>, found: Waiting, nowMs: number) =>
  Effect.andThen(Metric.update(count, found.count), Metric.update(age, ageSeconds(found.sinceMs, nowMs)))

const showMoney = (money: LedgerFigures["money"]) =>
  Effect.all(
    [
      Metric.update(deposited, inUsdc(money.deposited)),
      Metric.update(paid, inUsdc(money.paid)),
      Metric.update(refunded, inUsdc(money.refunded)),
      Metric.update(credit, inUsdc(money.credit))
    ],
    { discard: true }
  )

/**
 * Sets every gauge of the ledger to these figures. All of them each time, so that none keeps a value that is over.
 * `nowMs`: the ledger's time at which they were read, from which ages count.
 */
export const showFigures = (figures: LedgerFigures, nowMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* showTasks(figures.tasks)
    yield* showBatches(figures.batches)
    yield* showWaiting(unknown, figures.unknown, nowMs)
    yield* showWaiting(undelivered, figures.undelivered, nowMs)
    yield* showWaiting(held, figures.held, nowMs)
    yield* showWaiting(stopped, figures.stoppedWallets, nowMs)
    yield* Metric.update(limited, figures.limited.count)
    yield* showMoney(figures.money)
    yield* Metric.update(dueAge, ageSeconds(figures.dueSinceMs, nowMs))
    yield* Metric.update(readAt, (yield* Clock.currentTimeMillis) / 1000)
  })
