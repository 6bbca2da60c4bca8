import { assert, layer } from "@effect/vitest"
import { SqlClient } from "effect/sql"
import { NoOffer } from "../../src/mint/Minter.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { heldReason, order, person, readBatches, readTask, unpaidOrder } from "../support/orders.ts"
import { FIRST, SECOND } from "../support/outside.ts"
import { stories } from "../support/stories.ts"
import { books, logged, told, units } from "./given.ts"

layer(Postgres.session())("what a reorganised chain no longer shows", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  onDatabase("a deposit that is mined again counts once, and no wallet is stopped", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(3))
    yield* pass(20)
    world.reorganise(15n, { isMinedAgain: true })
    yield* pass(90)
    assert.deepStrictEqual(yield* books, { book_balance: 3_000_000n, stopped_reason: null })
    world.deposit(ann.agentAddress, units(2))
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
    assert.strictEqual(yield* told("chain.reorganised"), 1)
    assert.strictEqual(yield* told("deposit.withdrawn"), 0)
  })

  onDatabase("a deposit that is gone leaves the books, and its order is cancelled in time", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(3))
    yield* pass(20)
    world.reorganise(15n, { isMinedAgain: false })
    yield* pass(90)
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
    assert.strictEqual(yield* told("deposit.withdrawn"), 1)
    yield* pass(600)
    assert.strictEqual((yield* readTask(task)).status, "cancelled")
    assert.strictEqual((yield* books)?.stopped_reason, null)
    assert.isAbove(yield* logged("is no longer on chain"), 0)
  })

  onDatabase("payment, mints and deposit that are mined again are found where they are now", function* (world) {
    const ann = yield* person("ann")
    yield* startFor(60)
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    world.reorganise(30n, { isMinedAgain: true })
    yield* pass(90)
    const [batch] = yield* readBatches(task)
    assert.deepInclude(batch, { status: "delivered", minted: 5, paid_amount: 5_000_000n })
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.payments.length, 1)
    assert.strictEqual(world.mintsTo(ann.userAddress), 5)
    assert.strictEqual((yield* books)?.stopped_reason, null)
  })

  onDatabase("a payment that is gone is unknown again, and settles once more", function* (world) {
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    const task = yield* order(ann, 5)
    yield* pass(30)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    world.reorganise(12n, { isMinedAgain: false })
    yield* pass(60)
    assert.isAbove(yield* told("batch.unknown"), 0)
    const [batch] = yield* readBatches(task)
    assert.notStrictEqual(batch?.status, "held")
    assert.isAbove(yield* logged("and the order was completed: look at it"), 0)
    assert.strictEqual((yield* books)?.stopped_reason, null)
    assert.isUndefined(yield* heldReason(task))
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 1, "never a second authorization")
  })

  onDatabase("a completed order whose payment never comes back is a person's, and not bought anew", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    const task = yield* order(ann, 5)
    yield* pass(30)
    world.reorganise(14n, { isMinedAgain: false })
    world.unreachable = "the mint server is down"
    yield* pass(1_500)
    const [batch] = yield* readBatches(task)
    assert.deepInclude(batch, { status: "held" })
    assert.strictEqual((yield* readTask(task)).status, "completed")
    assert.strictEqual(world.payments.length, 1)
    const events = yield* sql`SELECT 1 FROM ai_agent_events WHERE kind = 'batch.held'`
    assert.lengthOf(events, 1)
  })

  onDatabase("one node on a fork of its own takes nothing back, and no order is decided meanwhile", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* start
    world.deposit(ann.agentAddress, units(3))
    yield* pass(60)
    world.onHash = (block, host) => (host === FIRST ? `0x${block.toString(16).padStart(64, "e")}` : undefined)
    world.deposit(ann.agentAddress, units(2))
    yield* pass(120)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    assert.strictEqual(yield* told("chain.reorganised"), 0)
    world.onHash = undefined
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onDatabase("a payment proven between two sweeps and gone before the next one is found out", function* (world) {
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    const task = yield* order(ann, 5)
    while ((yield* readBatches(task))[0]?.status !== "delivered") yield* pass(1)
    const sql = yield* SqlClient.SqlClient
    const [proof] = yield* sql<{ readonly block: bigint }>`
        SELECT max(block) AS block FROM ai_agent_anchors WHERE is_proof`
    const [swept] = yield* sql<{ readonly block: bigint }>`
        SELECT max(block) AS block FROM ai_agent_anchors WHERE NOT is_proof`
    assert.isAbove(Number(proof?.block), Number(swept?.block), "no sweep has seen this block")
    world.reorganise(world.head - (proof?.block ?? 0n) + 1n, { isMinedAgain: false })
    yield* pass(90)
    assert.strictEqual(yield* told("chain.reorganised"), 1)
    assert.isAbove(yield* told("batch.unknown"), 0)
    assert.strictEqual((yield* books)?.stopped_reason, null)
  })

  onDatabase("one node's word takes nothing back while the other is silent; an operator sees it", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(3))
    yield* pass(20)
    world.silent = SECOND
    world.reorganise(15n, { isMinedAgain: false })
    yield* pass(200)
    assert.strictEqual(yield* told("deposit.withdrawn"), 0)
    assert.deepStrictEqual(yield* books, { book_balance: 3_000_000n, stopped_reason: null })
    const open = yield* Incidents.open
    assert.deepStrictEqual(
      open.filter(({ key }) => key === "reorganisation").map(({ words }) => words.includes("different forks")),
      [true]
    )
    world.silent = undefined
    yield* pass(30)
    assert.strictEqual(yield* told("deposit.withdrawn"), 1)
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
    assert.notInclude(
      (yield* Incidents.open).map(({ key }) => key),
      "reorganisation"
    )
  })

  onDatabase("a look at a node that lags behind what was seen hides no part of it", function* (world) {
    const ann = yield* person("ann")
    yield* order(ann, 5)
    yield* startFor(60)
    const sql = yield* SqlClient.SqlClient
    const [seen] = yield* sql<{ readonly block: bigint }>`SELECT max(block) AS block FROM ai_agent_anchors`
    const fork = seen?.block ?? 0n
    world.deposit(ann.agentAddress, units(3))
    yield* pass(10)
    world.reorganise(world.head - fork, { isMinedAgain: false })
    // In ten seconds it shows blocks above the fork, and not yet the one that the last sweep saw.
    world.lagBlocks = world.confirmed.number + 2n - fork
    yield* pass(10)
    world.lagBlocks = 0n
    yield* pass(90)
    assert.strictEqual(yield* told("deposit.withdrawn"), 1)
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
  })

  onDatabase("a node that stays silent for minutes is not waited for any longer", function* (world) {
    const { who: ann, task } = yield* unpaidOrder("ann", 5)
    yield* startFor(60)
    world.deposit(ann.agentAddress, units(3))
    yield* pass(20)
    world.silent = SECOND
    world.reorganise(15n, { isMinedAgain: false })
    yield* pass(400)
    assert.strictEqual(yield* told("deposit.withdrawn"), 1)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  onDatabase("logs that one of two nodes has not take no mint and no deposit back", function* (world) {
    const ann = yield* person("ann")
    yield* startFor(60)
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(5))
    yield* pass(40)
    world.reorganise(30n, { isMinedAgain: true })
    yield* pass(20)
    world.withoutLogs = FIRST
    yield* pass(60)
    world.withoutLogs = undefined
    assert.deepInclude((yield* readBatches(task))[0], { status: "delivered", minted: 5 })
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.deepStrictEqual(yield* told("deposit.withdrawn"), 0)
    assert.strictEqual(yield* told("chain.reorganised"), 1)
  })

  test("mints that are gone alone are no one's, and are made and counted anew", function* (world) {
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(5))
    yield* pass(60)
    const task = yield* order(ann, 5)
    yield* pass(30)
    world.reorganise(14n, { isMinedAgain: false, only: "mints" })
    assert.strictEqual(world.mintsTo(ann.userAddress), 0)
    yield* pass(120)
    assert.strictEqual(world.mintsTo(ann.userAddress), 5)
    assert.deepInclude((yield* readBatches(task))[0], { status: "delivered", minted: 5, paid_amount: 5_000_000n })
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 5 })
    assert.strictEqual(world.paidBy(ann.agentAddress).length, 1)
  })

  onDatabase("a payment of an order at work that is gone is made again under its nonce, and once", function* (world) {
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(12))
    yield* pass(60)
    const task = yield* order(ann, 12)
    while ((yield* readBatches(task))[0]?.status !== "delivered") yield* pass(1)
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "the mint server is down" })
    world.reorganise(14n, { isMinedAgain: false })
    yield* pass(60)
    assert.isAbove(yield* told("batch.unknown"), 0)
    delete world.manners.quote
    yield* pass(600)
    assert.deepStrictEqual(
      (yield* readBatches(task)).map(({ status, minted }) => [status, minted]),
      [
        ["delivered", 10],
        ["delivered", 2]
      ]
    )
    assert.deepInclude(yield* readTask(task), { status: "completed", mints_completed: 12 })
    assert.strictEqual(world.paidBy(ann.agentAddress).length, 2)
    assert.strictEqual(world.mintsTo(ann.userAddress), 12)
    assert.deepStrictEqual(yield* books, { book_balance: 0n, stopped_reason: null })
  })
})
