import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { sign } from "../../src/domain/transferTransitions.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { batchesFrom } from "../../src/ledger/sql/transferRows.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { clientAt, ledger } from "../support/LedgerSql.ts"
import { type Database, newDatabase } from "./database.ts"
import type { Bench } from "./options.ts"

const EXECUTORS = 4

/** Payments that are signed in a round, by each executor a quarter, so many at once. */
const CLAIMS = 2_000
const AT_ONCE = 64

/** What each of them is signed for. */
const AMOUNT = 1_000_000n

/** Payments of earlier days, beside which the sums are made. */
const FINISHED = 1_000_000

/** Signing without a limit, under one that is never reached, and under one that half of the payments exceed. */
export const limits = Effect.fnUntraced(function* (bench: Bench) {
  const database = yield* newDatabase(bench.server)
  const executors = yield* Effect.forEach(Array.from({ length: EXECUTORS }), () => executorOn(database))
  if (bench.isLarge) yield* Effect.provide(seedFinished, database.layer)
  const beside = bench.isLarge ? `, beside ${FINISHED} finished payments` : ""
  const roundOf = Effect.gen(function* () {
    const [first] = executors
    if (first === undefined) return
    const free = yield* claimsPerSecond(executors)
    yield* setLimit(first, 1_000_000n * AMOUNT)
    const limited = yield* claimsPerSecond(executors)
    const title = `signed by ${EXECUTORS} executors under a limit; bare: without one${beside}`
    yield* bench.results.add(title, "payments/s", { bare: free, ours: limited })
    const half = BigInt(CLAIMS / 2) * AMOUNT
    yield* setLimit(first, half)
    yield* claimsPerSecond(executors)
    const signed = { bare: Number(half / AMOUNT), ours: Number((yield* signedSum) / AMOUNT) }
    yield* bench.results.add(`signed under a limit by ${EXECUTORS} executors; bare: the limit${beside}`, "USDC", signed)
    yield* wasFirst(first.decisions.removeLimit("all", DECISION, yield* nowMs))
  }).pipe(Effect.provide(database.layer))
  for (let round = 1; round <= bench.rounds; round++) yield* bench.results.round(`limits, round ${round}`, roundOf)
})

const executorOn = Effect.fnUntraced(function* ({ url }: Database) {
  const services = yield* Layer.build(Layer.fresh(ledger().pipe(Layer.provide(clientAt(url, 4)))))
  return { tasks: Context.get(services, TaskRepo), decisions: Context.get(services, DecisionRepo) }
})

type Executor = Effect.Success<ReturnType<typeof executorOn>>

const DECISION = { command: "limits set", said: "measured", why: "measured", by: "the benchmark" }

const nowMs = Effect.clockWith((clock) => clock.currentTimeMillis)

const setLimit = Effect.fnUntraced(function* ({ decisions }: Executor, perDay: bigint) {
  const limit = { scope: "all", perDay: usdc(perDay), reason: "measured", sinceMs: yield* nowMs } as const
  yield* wasFirst(decisions.setLimit(limit, DECISION))
})

/** Planned payments of a wallet each, out of the table. Those of the round before are gone. */
const seedPlanned = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DELETE FROM ai_agent_batches WHERE reason = 'measured'`
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, reason, status_since)
    SELECT gen_random_uuid(), 1, gen_random_uuid(), 1, 1, ${AMOUNT}::bigint, '0x' || repeat('7c', 20), address, address,
      address, '0x' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'planned', 'measured', now()
    FROM (SELECT '0x' || lpad(to_hex(n), 40, '0') AS address FROM generate_series(1, ${CLAIMS}::int) n) x`
  yield* sql`
    INSERT INTO ai_agent_wallet_state (wallet_id) SELECT wallet_id FROM ai_agent_batches WHERE reason = 'measured'`
  yield* sql`ANALYZE ai_agent_batches`
  return yield* batchesFrom({ sql }, sql`WHERE b.reason = 'measured' ORDER BY b.task_id`)
})

const claimsPerSecond = Effect.fnUntraced(function* (executors: ReadonlyArray<Executor>) {
  const batches = yield* seedPlanned
  const startMs = performance.now()
  yield* Effect.forEach(
    executors,
    ({ tasks }, at) =>
      Effect.forEach(
        batches.filter((_, index) => index % executors.length === at),
        Effect.fnUntraced(function* (before) {
          const atMs = yield* nowMs
          const window = { amount: before.amount, payTo: before.payTo, validAfter: 1, validBefore: 2, block: 1n }
          const after = { ...sign(before, window, atMs), reason: "measured" }
          return yield* wasFirst(tasks.saveBatch({ before, after }, atMs))
        }),
        { concurrency: AT_ONCE }
      ),
    { concurrency: "unbounded" }
  )
  return (CLAIMS / (performance.now() - startMs)) * 1000
})

const signedSum = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly sum: bigint }>`
    SELECT coalesce(sum(signed_amount), 0)::bigint AS sum FROM ai_agent_batches WHERE reason = 'measured'`
  return row?.sum ?? 0n
})

/** Signed over the days before the last one. */
const seedFinished = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    INSERT INTO ai_agent_batches (task_id, number, wallet_id, first_mint, quantity, amount, token, payer, pay_to,
      recipient, nonce, status, status_since, signed_at, signed_amount, minted, payment_tx, payment_block, paid_amount)
    SELECT gen_random_uuid(), 1, gen_random_uuid(), 1, 1, ${AMOUNT}::bigint, '0x' || repeat('7c', 20), address, address,
      address, '0x' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'delivered', at, at,
      ${AMOUNT}::bigint, 1, '0x' || repeat('0', 64), 1, ${AMOUNT}::bigint
    FROM (SELECT '0x' || lpad(to_hex(n % 20000), 40, '0') AS address, now() - interval '1 day' - n * interval '1 second' AS at
      FROM generate_series(1, ${FINISHED}::int) n) x`
  yield* sql`VACUUM ANALYZE ai_agent_batches`
})
