import { Console, Effect, Layer, Redacted } from "effect"
import * as Database from "../../../src/ledger/Database.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { ledgerAndFixture } from "../../support/LedgerSql.ts"
import { settings } from "../../support/settings.ts"
import {
  cut,
  evidence,
  firstPage,
  funding,
  givenAllDelivered,
  NOW_MS,
  saveTask,
  TIP,
  workOf
} from "../contract/given.ts"

/**
 * A process with a time zone of its own that finds two orders of one wallet, carries the older one out and cancels
 * the other. Prints what it read.
 */
const program = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const orders = (yield* firstPage).wallets[0] ?? (yield* Effect.die("no orders"))
  const [paid, unpaid] = orders.pending
  if (paid === undefined || unpaid === undefined) return yield* Effect.die("not two orders")
  yield* repo.cancel([{ ...evidence(orders, unpaid.id), message: "not paid" }], TIP, NOW_MS)
  yield* repo.fund([funding(orders, paid.id)], TIP, NOW_MS)
  const [funded] = (yield* workOf(orders.wallet)).tasks
  if (funded !== undefined) yield* repo.plan(funded, cut(funded, orders.wallet, 2), NOW_MS)
  const [processing] = (yield* workOf(orders.wallet)).tasks
  if (processing === undefined) return yield* Effect.die("not planned")
  yield* givenAllDelivered(processing)
  yield* saveTask(processing, { status: "completed" })
  yield* Console.log(
    JSON.stringify({
      zoneOffsetMinutes: new Date(NOW_MS).getTimezoneOffset(),
      createdAtMs: orders.pending.map(({ createdAtMs }) => createdAtMs),
      startedAtMs: processing.startedAtMs,
      updatedAtMs: processing.updatedAtMs
    })
  )
})

const { DATABASE_URL = "", DATABASE_TIMEZONE } = process.env
const changes = {
  databaseUrl: Redacted.make(DATABASE_URL),
  databaseTimezone: DATABASE_TIMEZONE
}
const database = Database.layer.pipe(Layer.provide(settings(changes)))

await Effect.runPromise(Effect.provide(program, ledgerAndFixture(changes).pipe(Layer.provide(database))))
