import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ChainError } from "../../src/chain/ChainClient.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { pause, resume } from "../support/operator.ts"
import * as Postgres from "../support/Postgres.ts"
import { inMemory, onWorld, pass, startFor } from "../support/executor.ts"
import { order, paidOrder, readTask, TOKEN } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { lost, settles } from "./given.ts"

/** Which version of the row it is: every write makes another. */
const versionOf = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly version: string }>`
    SELECT xmin::text AS version FROM ai_agent_tasks WHERE id = ${id}::uuid`
  return rows[0]?.version
})

layer(Postgres.session())("an order that waits says in its row", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld({ mintTimeout: Duration.seconds(15) }))

  onDatabase("that another order keeps its token from being paid for, once, until it goes on", function* (world) {
    const ann = yield* paidOrder("ann", 5)
    world.manners.pay = settles(lost)
    yield* startFor(50)
    const bob = yield* paidOrder("bob", 3)
    yield* pass(20)
    const error_message = `Waiting: payments to token ${TOKEN} are stopped: a batch of another order is paid and not delivered`
    assert.deepInclude(yield* readTask(bob.task), { status: "processing", mints_completed: 0, error_message })
    const before = yield* versionOf(bob.task)
    yield* pass(40)
    assert.strictEqual(yield* versionOf(bob.task), before, "it is written once")
    delete world.manners.pay
    yield* pass(90)
    for (const { task } of [ann, bob]) {
      assert.deepInclude(yield* readTask(task), { status: "completed", error_message: null })
    }
  })

  test("that the mint server or the chain is away, and its last refusal again when it goes on", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "not today", did: "nothing" })
    yield* startFor(12)
    assert.strictEqual((yield* readTask(task)).error_message, "Retry 1/3: not today")
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "mint server answered 503" })
    yield* pass(10)
    assert.strictEqual((yield* readTask(task)).error_message, "Waiting: mint server answered 503")
    world.chainFault = new ChainError({ reason: "Timeout", operation: "read", detail: "no answer" })
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).error_message, "Waiting: the chain cannot be read (Timeout)")
    world.chainFault = undefined
    world.manners.quote = () => undefined
    world.manners.pay = () => lost
    yield* pass(70)
    assert.strictEqual((yield* readTask(task)).error_message, "Retry 1/3: not today")
  })

  test("that an operator has paused it, and nothing any more when that is over", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "mint server answered 503" })
    yield* startFor(15)
    yield* pause({ token: TOKEN }, "the token is looked at")
    yield* pass(10)
    assert.strictEqual((yield* readTask(task)).error_message, "Waiting: paused: the token is looked at")
    const next = yield* order(who, 2)
    world.deposit(who.agentAddress, usdc(2_000_000n))
    yield* pass(30)
    assert.deepInclude(yield* readTask(next), {
      status: "funded",
      error_message: "Waiting: paused: the token is looked at"
    })
    delete world.manners.quote
    yield* resume({ token: TOKEN }, "it is sound")
    yield* pass(10)
    assert.strictEqual((yield* readTask(task)).error_message, null)
  })

  test("which order of its wallet and token is paid and minted first", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => lost
    yield* startFor(12)
    const next = yield* order(who, 2)
    world.deposit(who.agentAddress, usdc(2_000_000n))
    yield* pass(30)
    const error_message = `Waiting: order ${task.slice(0, 8)} of the same wallet and token is paid and minted first`
    assert.deepInclude(yield* readTask(next), { status: "funded", error_message })
    delete world.manners.pay
    yield* pass(90)
    assert.deepInclude(yield* readTask(next), { status: "completed", error_message: null })
  })
})
