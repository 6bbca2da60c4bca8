import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { address } from "../../src/domain/Address.ts"
import { shortId, type TaskId } from "../../src/domain/Task.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { onWorld, pass, start, startFor } from "../support/executor.ts"
import { editTask, heldReason, order, person, readBatches, readTask } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { stories } from "../support/stories.ts"
import { accepted, units } from "./given.ts"

const OTHER_TOKEN = address(`0x${"70ce".repeat(10)}`)

/** A trigger of another program refuses every change of the order's row, until it is dropped. */
const lockRow = Effect.fnUntraced(function* (id: TaskId) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END'`
  yield* sql.unsafe(
    `CREATE TRIGGER refuse BEFORE UPDATE ON ai_agent_tasks FOR EACH ROW WHEN (OLD.id = '${id}') EXECUTE FUNCTION refuse()`
  )
})

const unlockRow = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`DROP TRIGGER IF EXISTS refuse ON ai_agent_tasks`)

const isTold = (id: TaskId) =>
  Effect.map(Incidents.open, (open) =>
    open.some(({ words }) => words.startsWith(`Task ${shortId(id)} cannot be written`))
  )

layer(Postgres.session())("an order whose row cannot be written", (it) => {
  const test = stories(it, (story) => story.pipe(Effect.ensuring(Effect.orDie(unlockRow)), onWorld()))

  test("waits alone to be funded, is told of, and goes on when it can be", function* (world) {
    const ann = yield* person("ann")
    const [bad, good] = [yield* order(ann, 3), yield* order(ann, 5)]
    yield* lockRow(bad)
    world.deposit(ann.agentAddress, units(3))
    world.deposit(ann.agentAddress, units(5))
    yield* startFor(90)
    assert.strictEqual((yield* readTask(good)).status, "completed")
    assert.strictEqual((yield* readTask(bad)).status, "pending_payment")
    assert.isTrue(yield* isTold(bad))
    yield* unlockRow
    yield* pass(90)
    assert.strictEqual((yield* readTask(bad)).status, "completed")
    assert.isFalse(yield* isTold(bad))
  })

  test("waits alone while it is minted, and is counted when it can be", function* (world) {
    const ann = yield* person("ann")
    world.deposit(ann.agentAddress, units(3))
    const bad = yield* order(ann, 3)
    let mintLate = (): unknown => undefined
    world.manners.pay = ({ settle, mint }) => {
      settle()
      mintLate = () => mint(3)
      return accepted()
    }
    yield* start
    while ((yield* readBatches(bad))[0]?.status !== "paid") yield* pass(1)
    yield* lockRow(bad)
    mintLate()
    delete world.manners.pay
    world.deposit(ann.agentAddress, units(5))
    const good = yield* order(ann, 5, { token_address: OTHER_TOKEN })
    yield* pass(120)
    assert.strictEqual((yield* readTask(good)).status, "completed")
    assert.deepInclude((yield* readBatches(bad))[0], { status: "paid", minted: 0 })
    assert.isTrue(yield* isTold(bad))
    yield* unlockRow
    yield* pass(180)
    assert.deepInclude(yield* readTask(bad), { status: "completed", mints_completed: 3 })
    assert.strictEqual(new Set(world.payments.map(({ nonce }) => nonce)).size, 2)
    assert.strictEqual(world.mintsTo(ann.userAddress), 8)
  })

  test("is held for a person without a word in its row where it is no order, and the others go on", function* (world) {
    const ann = yield* person("ann")
    const [bad, good] = [yield* order(ann, 3), yield* order(ann, 5)]
    yield* editTask(bad, { quantity: 0 })
    yield* lockRow(bad)
    world.deposit(ann.agentAddress, units(5))
    yield* startFor(60)
    assert.strictEqual((yield* readTask(good)).status, "completed")
    assert.isDefined(yield* heldReason(bad))
    assert.isNull((yield* readTask(bad)).error_message)
  })
})
