import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { explain, pause } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { givenFailed, givenUndelivered, lost, refusal, stories, units } from "./given.ts"

/** Every sentence of an explanation, in one text. */
const said = (id: string) =>
  Effect.map(explain(id), ({ summary, steps, next }) =>
    [summary, ...steps.map(({ text }) => text), next.text, ...next.commands].join("\n")
  )

layer(Postgres.session())("why an order is where it is", (it) => {
  const { onSql } = stories(it)
  onSql("too little money: what came, what is missing, and until when", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(2))
    yield* start
    yield* pass(20)
    const text = yield* said(task)
    assert.include(text, "2.00 USDC arrived from")
    assert.include(text, "it is in the wallet, and no order has used it yet")
    assert.include(text, "waits for its money: 0 of 5 mints delivered, 2.00 of 5.00 USDC received.")
    assert.include(text, `waits for 3.00 USDC more in ${ann.agentAddress}`)
    const { money, task: view } = yield* explain(task)
    assert.deepInclude(money, { needed: units(3), received: units(2) })
    assert.strictEqual(view.received, units(2))
  })

  for (const behindMs of [120_000, -120_000, 999])
    onSql(
      `too little money in time, with the chain's clock ${behindMs} ms behind the database's: it is listed`,
      function* () {
        const world = yield* World
        world.behindMs = behindMs
        yield* start
        yield* pass(40)
        const ann = yield* person("ann")
        const task = yield* order(ann, 7)
        yield* pass(1)
        world.deposit(ann.agentAddress, units(3.5))
        yield* pass(30)
        const { money, steps, next } = yield* explain(task)
        assert.deepStrictEqual(
          steps.map(({ kind }) => kind),
          ["created", "deposit"]
        )
        assert.include(next.text, "It waits for 3.50 USDC more")
        assert.deepInclude(money, { needed: units(3.5), received: units(3.5) })
      }
    )

  onSql("the payment that its client signed with it: under way, arrived", function* () {
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    const sql = yield* SqlClient.SqlClient
    const payer = `0x${"ab".repeat(20)}`
    const tx = `0x${"7".repeat(64)}`
    yield* sql`
      INSERT INTO ai_agent_pay_ins (task_id, payer, nonce, amount, pay_to, valid_after, valid_before, wallet_id, token,
        quantity, recipient, created_at)
      SELECT id, ${payer}, ${`0x${"1".repeat(64)}`}, 5000000, ${ann.agentAddress}, 0, 1, agent_wallet_id, token_address, 5, user_address, now()
      FROM ai_agent_tasks WHERE id = ${task}::uuid`
    assert.include(yield* said(task), `The payment of 5.00 USDC that ${payer} signed for this order is under way`)
    yield* sql`UPDATE ai_agent_pay_ins SET status = 'settled', tx_hash = ${tx}, block = 12 WHERE task_id = ${task}::uuid`
    const { steps } = yield* explain(task)
    const { text, txs } = steps.find(({ kind }) => kind === "pay_in.settled") ?? {}
    assert.deepStrictEqual(
      [text, txs],
      [`The payment of 5.00 USDC that ${payer} signed for this order arrived in block 12`, [tx]]
    )
  })

  onSql("credit from before it that is not enough: it is listed, and counts", function* () {
    const world = yield* World
    yield* start
    const ann = yield* person("ann")
    const first = yield* order(ann, 7)
    world.deposit(ann.agentAddress, units(3))
    yield* pass(700)
    assert.include(yield* said(first), "Cancelled: Payment timeout")
    const second = yield* order(ann, 7)
    yield* pass(20)
    const text = yield* said(second)
    assert.include(text, "3.00 USDC arrived from")
    assert.include(text, ", before this order: it is in the wallet, and no order has used it yet")
    assert.include(text, "3.00 of 7.00 USDC received")
    assert.deepInclude((yield* explain(second)).money, { needed: units(4), received: units(3) })
  })

  onSql("where the chain does not answer, nobody says what was received", function* () {
    const world = yield* World
    const task = yield* order(yield* person("ann"), 5)
    world.chainFault = new ChainError({ reason: "Unavailable", operation: "ask", detail: "down" })
    assert.deepInclude((yield* explain(task)).money, { needed: units(5), received: undefined })
  })

  onSql("paid late: what came after it was cancelled, and how it goes back", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    yield* start
    yield* pass(660)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(120)
    const text = yield* said(task)
    assert.include(text, "Cancelled: Payment timeout")
    assert.include(text, "after the order was cancelled")
    assert.include(text, "5.00 USDC are the wallet's credit")
    assert.include(text, `refund ${ann.agentAddress}`)
  })

  onSql("refused until it failed: who refused, how often, and how it is tried again", function* () {
    const { task } = yield* givenFailed()
    const text = yield* said(task)
    assert.include(text, "Refused: Retry 1/3: no")
    assert.include(text, "Failed: Exceeded retry limit after 3 attempts. Last error: no")
    assert.include(text, `retry ${task.slice(0, 8)} --why`)
  })

  onSql("paid and not delivered: the payment, what is waited for, and what decides it", function* () {
    const { task } = yield* givenUndelivered()
    const text = yield* said(task)
    assert.match(text, /Batch 1: 5\.00 USDC paid, in block \d+/)
    assert.include(text, "Batch 1 is paid: its mints are looked for")
    assert.include(text, "--batch 1 --as delivered|failed")
  })

  onSql("sent again: how often in all, and until which day and time the payment could be taken", function* () {
    const world = yield* World
    const { task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* start
    yield* pass(100)
    const text = yield* said(task)
    assert.include(text, "the identical payment was sent again (2 times in all)")
    assert.match(text, /signed and sent for 5 mints, valid until 1970-01-01 \d\d:\d\d:\d\d UTC, nonce 0x/)
    assert.include(text, "was not taken and can never be: it may be signed again")
  })

  onSql("done by v1.1: what is delivered, and nothing of payments that the ledger does not know", function* () {
    const ann = yield* person("ann")
    const task = yield* order(ann, 5, { status: "completed", mints_completed: 5 })
    const { summary } = yield* explain(task)
    assert.match(summary, /is completed: 5 of 5 mints delivered\.$/)
  })

  onSql("paused: by whom it is, and that nothing new is done", function* () {
    const { task } = yield* paidOrder("ann", 5)
    yield* pause({}, "the server is being moved")
    yield* start
    yield* pass(20)
    assert.include(yield* said(task), "it is paused: the server is being moved")
  })

  onSql("and from before anything was written down: as much as its rows tell", function* () {
    const { task } = yield* paidOrder("ann", 5)
    yield* start
    yield* pass(60)
    yield* (yield* SqlClient.SqlClient)`DELETE FROM ai_agent_events`
    const { steps, money, next } = yield* explain(task)
    const kinds = steps.map(({ kind }) => kind)
    for (const kind of ["created", "deposit", "funded", "processing", "delivered", "completed"])
      assert.include(kinds, kind)
    assert.strictEqual(money.needed, 0n)
    assert.include(next.text, "every mint is delivered")
    assert.include(yield* refusal(explain("ffffffff")), "There is no task")
  })
})
