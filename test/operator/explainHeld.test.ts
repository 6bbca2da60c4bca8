import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { explain, resolve, retry } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, heldReason, order, paidOrder, person, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { givenFailed, givenHeld, givenUndelivered, stories, units, WHY } from "./given.ts"

const short = (id: string): string => id.slice(0, 8)

const nextOf = (id: string) => Effect.map(explain(id), ({ next }) => next)

const held = (task: string, reason: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (
      sql
    ) => sql`INSERT INTO ai_agent_task_state (task_id, held_at, held_reason) VALUES (${task}::uuid, now(), ${reason})
      ON CONFLICT (task_id) DO UPDATE SET held_at = excluded.held_at, held_reason = excluded.held_reason`
  )

layer(Postgres.session())("what ends the hold of an order", (it) => {
  const { onSql } = stories(it)
  onSql("of which a batch is held: a decision about that batch", function* () {
    const { task } = yield* givenHeld("cancelled")
    const { commands } = yield* nextOf(task)
    assert.deepStrictEqual(commands, [`resolve ${short(task)} --batch 1 --as delivered|replaced|failed --why "…"`])
  })

  onSql("that is paid and not delivered: a decision, and never another payment", function* () {
    const { task } = yield* givenUndelivered()
    yield* held(task, "Held for the operator: batch 1 is paid and not delivered")
    const { commands } = yield* nextOf(task)
    assert.deepStrictEqual(commands, [
      `retry ${short(task)} --why "…"`,
      `resolve ${short(task)} --batch 1 --as delivered|failed --why "…"`
    ])
  })

  onSql("for another reason, with a paid batch beside: a retry", function* () {
    const { task } = yield* givenUndelivered()
    yield* held(task, "Held for the operator: no key")
    const { commands } = yield* nextOf(task)
    assert.strictEqual(commands[0], `retry ${short(task)} --why "…"`)
  })

  onSql("whose row is none: repair or giving up; and a retry when it is sound again", function* () {
    const { task } = yield* paidOrder("ann", 5, { price_per_mint: 0n, status: "funded" })
    yield* start
    yield* pass(20)
    assert.isDefined(yield* heldReason(task))
    const bad = yield* nextOf(task)
    assert.include(
      bad.text,
      "price_per_mint × quantity is 0.00 USDC. To go on with it, repair its row, and then retry."
    )
    assert.deepStrictEqual(bad.commands, [`resolve ${short(task)} --as failed --why "…"`])
    yield* editTask(task, { price_per_mint: 1_000_000n })
    const sound = yield* nextOf(task)
    assert.include(sound.text, "Its row is sound now")
    assert.strictEqual(sound.commands[0], `retry ${short(task)} --why "…"`)
  })

  onSql("of v1.1, which paid more than it counted: how many mints there are", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    world.deposit(ann.agentAddress, units(10))
    yield* pass(5)
    const task = yield* order(ann, 10, { status: "processing", mints_completed: 2, updated_at: new Date(-4_000_000) })
    world.spend(ann.agentAddress, TOKEN, units(4))
    yield* pass(10)
    yield* start
    yield* pass(20)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, "v1.1 paid 4.00 USDC")
    assert.deepStrictEqual(commands, [
      `adopt ${short(task)} --mints n --why "…"`,
      `resolve ${short(task)} --as failed --why "…"`
    ])
  })
})

layer(Postgres.session())("what is left of a failed order", (it) => {
  const { onSql } = stories(it)
  onSql("all of it: a retry, and then what was reserved again", function* () {
    const { task } = yield* givenFailed()
    assert.include((yield* nextOf(task)).commands, `retry ${short(task)} --why "…"`)
    yield* retry(task, WHY)
    const { steps } = yield* explain(task)
    const texts = steps.filter(({ kind }) => kind === "funded").map(({ text }) => text)
    assert.deepStrictEqual(texts, [
      "Paid: its cost is reserved, 5 mints to be made",
      "Tried again: what is left of its cost is reserved for it"
    ])
  })

  onSql("nothing: every batch is decided, and no retry is named", function* () {
    const { task } = yield* givenHeld("cancelled")
    yield* resolve(task, { as: "failed" }, WHY)
    assert.strictEqual((yield* readTask(task)).status, "failed")
    const { commands } = yield* nextOf(task)
    assert.notInclude(commands.join(), "retry")
  })

  onSql("credit that another order waits for is no refund", function* () {
    const { who, task } = yield* givenFailed()
    const other = yield* order(who, 9)
    const { text, commands } = yield* nextOf(task)
    assert.include(text, `5.00 USDC are free in its wallet, for order ${short(other)}`)
    assert.notInclude(commands.join(), "refund")
  })
})
