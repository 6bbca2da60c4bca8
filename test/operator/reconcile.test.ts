import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { reconcile, refund, resolveWallet } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { givenHeld, givenUndelivered, stories, STRANGER, units, WHY } from "./given.ts"

/** Two people: one with an order of two batches that is minted and with credit that went back, one who never paid. */
const givenHistory = Effect.gen(function* () {
  const world = yield* World
  const who = yield* person("ann")
  const task = yield* order(who, 12)
  yield* order(yield* person("bob"), 1)
  yield* start
  yield* pass(5)
  world.deposit(who.agentAddress, units(15))
  yield* pass(60)
  assert.strictEqual((yield* readTask(task)).status, "completed")
  yield* refund(who.agentAddress, { confirm: true, to: who.userAddress, amount: units(1) }, WHY)
  yield* pass(60)
  return { world, who, task }
})

const edit = (statement: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(SqlClient.SqlClient, statement)

const said = Effect.map(reconcile(), ({ differences }) => differences.map(({ what }) => what))

layer(Postgres.session())("comparing ledger and chain", (it) => {
  const { inMemory, onSql } = stories(it)
  inMemory("finds no difference where all was done by this program, and counts what it compared", function* () {
    const { world } = yield* givenHistory
    const { differences, totals, block } = yield* reconcile()
    assert.deepStrictEqual(differences, [])
    assert.strictEqual(block, world.confirmed.number)
    assert.deepStrictEqual(totals, {
      wallets: 2,
      payments: 3,
      unproven: 0,
      beforeBooks: 0,
      deposits: 1,
      uncounted: 0,
      earlierDeposits: 0,
      newer: 0,
      mints: 12,
      unseenMints: 0,
      held: 0
    })
  })

  inMemory(
    "finds none at any moment of an order's life, and asks the chain few questions for many wallets",
    function* () {
      const world = yield* World
      yield* start
      for (const name of ["ann", "bob", "cara"]) {
        const who = yield* person(name)
        yield* order(who, 12)
        yield* pass(3)
        world.deposit(who.agentAddress, units(13))
      }
      for (let second = 0; second < 25; second++) {
        yield* pass(1)
        const before = world.calls.length
        assert.deepStrictEqual(yield* said, [])
        assert.isAtMost(world.calls.slice(before).filter((call) => call !== "findMints").length, 4)
      }
    }
  )

  inMemory("finds none while payments are unknown or undelivered, and counts them", function* () {
    const { world } = yield* givenUndelivered()
    world.manners.pay = () => ({ _tag: "Unclear", reason: "no answer" })
    const other = { token_address: STRANGER }
    yield* paidOrder("bob", 5, other)
    yield* pass(20)
    const { differences, totals } = yield* reconcile()
    assert.deepStrictEqual(differences, [])
    assert.deepInclude(totals, { payments: 1, unproven: 1 })
  })

  onSql(
    "tells a transfer out of a wallet that nothing explains, until a person has opened its books anew",
    function* () {
      const { world, who } = yield* givenHistory
      world.spend(who.agentAddress, STRANGER, units(1))
      yield* pass(5)
      assert.match((yield* said).join(), /^1\.00 USDC went to 0x5a\S+ in 0x\S+ .* no order or refund explains it[^,]*$/)
      yield* pass(90)
      assert.lengthOf(yield* said, 1, "the wallet is stopped for it")
      yield* resolveWallet(who.agentAddress, WHY)
      const { differences, totals } = yield* reconcile()
      assert.deepStrictEqual(differences, [])
      assert.strictEqual(totals.beforeBooks, 1)
    }
  )

  inMemory("counts what waits for a decision", function* () {
    yield* givenHeld("misused")
    const { differences, totals } = yield* reconcile()
    assert.deepStrictEqual(differences, [])
    assert.deepInclude(totals, { held: 1, payments: 1 })
  })

  onSql("counts money that no sweep has seen yet, and tells of it no more", function* () {
    const { world, who } = yield* givenHistory
    world.lagBlocks = 0n
    world.deposit(who.agentAddress, units(2))
    yield* pass(5)
    const { differences, totals } = yield* reconcile()
    assert.deepStrictEqual([differences, totals.uncounted], [[], 1])
    yield* pass(80)
    assert.strictEqual((yield* reconcile()).totals.uncounted, 0)
  })

  for (const [what, statement, words] of [
    [
      "a payment that the ledger forgot",
      (sql: SqlClient.SqlClient) =>
        sql`UPDATE ai_agent_batches SET status = 'planned', payment_tx = NULL, payment_block = NULL WHERE number = 2`,
      /with the nonce of batch 2 of task \S+, which is planned in the ledger/
    ],
    [
      "a payment that never was",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_batches SET payment_tx = '0xfeed' WHERE number = 2`,
      /batch 2 of task \S+ was paid in 0xfeed .*, and the chain shows no such transfer/
    ],
    [
      "another amount than the ledger says",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_batches SET paid_amount = 1 WHERE number = 1`,
      /10\.00 USDC went to .* with the nonce of batch 1/
    ],
    [
      "a mint that the chain does not have",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_batch_mints SET part = 98 WHERE mint_number = 12`,
      /batch 2 of task \S+ has mint 99 of its token and person in \S+, and the chain shows fewer there/
    ],
    [
      "a count of mints that nothing stands for",
      (sql: SqlClient.SqlClient) => sql`DELETE FROM ai_agent_batch_mints WHERE mint_number = 12`,
      /batch 2 of task \S+ counts 2 mints and has 1 on chain/
    ],
    [
      "a deposit that was never recorded",
      (sql: SqlClient.SqlClient) => sql`DELETE FROM ai_agent_deposits`,
      /15\.00 USDC came in \S+, and the ledger has counted past it/
    ],
    [
      "a deposit that never was",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_deposits SET tx_hash = '0xfeed'`,
      /15\.00 USDC came in 0xfeed says the ledger, and the chain shows no such transfer/
    ],
    [
      "a deposit whose amount is a thousand times what came",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_deposits SET amount = amount * 1000`,
      /15000\.00 USDC from 0x\S+ \(block \d+\) came in \S+ says the ledger, and the chain shows 15\.00 USDC from/
    ],
    [
      "a deposit of another sender",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_deposits SET sender = ${STRANGER}`,
      /15\.00 USDC from 0x5a5a\S+ \(block \d+\) came in \S+ says the ledger, and the chain shows 15\.00 USDC from/
    ],
    [
      "a deposit from before the books were opened whose amount is another",
      (sql: SqlClient.SqlClient) =>
        sql`WITH later AS (UPDATE ai_agent_wallet_state SET opened_block = counted_block)
          UPDATE ai_agent_deposits SET amount = amount * 1000`,
      /15000\.00 USDC from 0x\S+ \(block \d+\) came in \S+ says the ledger, and the chain shows 15\.00 USDC from/
    ],
    [
      "a payment for which another transfer of its transaction stands",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_batches SET nonce = '0xfeed' WHERE number = 2`,
      /batch 2 of task \S+ was paid in 0x\S+ .*, and the chain shows no such transfer/
    ],
    [
      "books that do not add up",
      (sql: SqlClient.SqlClient) => sql`UPDATE ai_agent_wallet_state SET book_balance = book_balance + 7
        WHERE book_balance > 0`,
      /the books come to 2\.000007 USDC and the chain shows 2\.00/
    ]
  ] as const) {
    onSql(`tells ${what}`, function* () {
      const { who } = yield* givenHistory
      yield* edit(statement)
      const { differences } = yield* reconcile()
      assert.isTrue(
        differences.some((difference) => words.test(difference.what)),
        differences.map((difference) => difference.what).join("\n")
      )
      assert.isTrue(differences.every(({ wallet }) => wallet === who.agentAddress))
    })
  }
})
