import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { TaskId } from "../../src/domain/Task.ts"
import * as Postgres from "../support/Postgres.ts"
import { type Around, launch, onWorld, pass } from "../support/executor.ts"
import { paidOrder, type Person, readBatches, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"

const WRITES: ReadonlySet<string> = new Set(["fund", "cancel", "hold", "plan", "saveBatch", "saveTask"])

const QUANTITY = 12
const SETTINGS = { maxBatchSize: 6, drainTimeout: Duration.zero }

/** Stops the program that does it for good before or after its `nth` write to the ledger. */
const crashAt = (nth: number, moment: "before" | "after") => {
  const state = { writes: 0, crashed: "" }
  const crash = (operation: string) =>
    Effect.suspend(() => {
      state.crashed = `${moment} write ${nth}, ${operation}`
      return Effect.never
    })
  const around: Around = (operation, work) =>
    Effect.suspend(() => {
      if (state.crashed !== "") return Effect.never
      if (!WRITES.has(operation) || ++state.writes !== nth) return work
      return moment === "before" ? crash(operation) : Effect.flatMap(work, () => crash(operation))
    })
  return { state, around }
}

const isDoneOnce = Effect.fnUntraced(function* ({ who, task }: { who: Person; task: TaskId }, where: string) {
  const world = yield* World
  const sql = yield* SqlClient.SqlClient
  const { status, mints_completed, error_message } = yield* readTask(task)
  assert.deepStrictEqual(
    { status, mints_completed, error_message },
    { status: "completed", mints_completed: QUANTITY, error_message: null },
    where
  )
  assert.strictEqual(world.paidBy(who.agentAddress).length, 2, where)
  assert.strictEqual(world.balance(who.agentAddress), 0n, where)
  assert.strictEqual(world.mintsTo(who.userAddress), QUANTITY, where)
  const records = yield* sql<{ n: number }>`
    SELECT mint_number AS n FROM ai_agent_mint_records WHERE task_id = ${task}::uuid ORDER BY 1`
  assert.deepStrictEqual(
    records.map(({ n }) => n),
    Array.from({ length: QUANTITY }, (_, index) => index + 1),
    where
  )
})

/** One life of an order with a crash in it. Gives whether the order was done before the crash could come. */
const live = (nth: number, moment: "before" | "after", downSeconds: number) =>
  Effect.gen(function* () {
    const ann = yield* paidOrder("ann", QUANTITY)
    const { state, around } = crashAt(nth, moment)
    yield* pass(6)
    const first = yield* launch(SETTINGS, around)
    for (let second = 0; second < 40 && state.crashed === ""; second++) yield* pass(1)
    yield* first.kill
    const where = `${state.crashed}, down for ${downSeconds} s`
    yield* pass(downSeconds)
    const second = yield* launch(SETTINGS)
    yield* pass(120)
    yield* isDoneOnce(ann, where)
    yield* second.kill
    return state.crashed === ""
  }).pipe(onWorld(SETTINGS))

layer(Postgres.session())("an executor that dies", (it) => {
  for (const moment of ["before", "after"] as const) {
    for (const [name, downSeconds] of [
      ["at once", 0],
      ["after the payment's window", 600]
    ] as const) {
      it.effect(`${moment} any write to the ledger and starts again ${name} pays and mints everything once`, () =>
        Effect.gen(function* () {
          let crashes = 0
          while (!(yield* live(crashes + 1, moment, downSeconds))) crashes++
          assert.isAtLeast(crashes, 11, "fund, plan, four writes for each of two batches, complete")
        })
      )
    }
  }

  for (const step of ["quote", "pay"] as const) {
    it.effect(`while the server thinks about a ${step} goes on where it was`, () =>
      Effect.gen(function* () {
        const world = yield* World
        const ann = yield* paidOrder("ann", QUANTITY)
        world.manners.delay = (request) => (request === step ? Effect.never : Effect.void)
        yield* pass(6)
        const first = yield* launch(SETTINGS)
        yield* pass(20)
        yield* first.kill
        const [batch] = yield* readBatches(ann.task)
        assert.strictEqual(batch?.status, step === "quote" ? "planned" : "signed")
        assert.strictEqual(world.payments.length, 0)
        world.manners.delay = () => Effect.void
        const second = yield* launch(SETTINGS)
        yield* pass(120)
        yield* isDoneOnce(ann, step)
        yield* second.kill
      }).pipe(onWorld(SETTINGS))
    )
  }

  it.effect("after the server settled and minted, before it answered, pays nothing again", () =>
    Effect.gen(function* () {
      const world = yield* World
      const ann = yield* paidOrder("ann", QUANTITY)
      world.manners.pay = ({ settle, mint, order }) => {
        settle()
        mint(order.quantity)
        return Effect.never
      }
      yield* pass(6)
      const first = yield* launch(SETTINGS)
      yield* pass(2)
      yield* first.kill
      delete world.manners.pay
      const second = yield* launch(SETTINGS)
      yield* pass(120)
      yield* isDoneOnce(ann, "in the answer")
      assert.strictEqual(world.payments.length, 2)
      yield* second.kill
    }).pipe(onWorld(SETTINGS))
  )
})
