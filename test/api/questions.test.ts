import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { overviewOnce } from "../../src/api/overview.ts"
import { explainTask, listTasks, showTask, walletReport } from "../../src/api/questions.ts"
import { onWorld, pass, start } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { units } from "../operator/given.ts"

layer(Postgres.session())("what is asked straight, with no executor", (it) => {
  it.effect("is answered as the API has it: status, list, order, wallet", () =>
    Effect.gen(function* () {
      const world = yield* World
      const ann = yield* person("ann")
      const id = yield* order(ann, 7)
      world.deposit(ann.agentAddress, units(3.5))
      yield* start
      yield* pass(20)
      const { tasks } = yield* listTasks({ status: "pending_payment" })
      assert.deepStrictEqual(
        tasks.map((task) => [task.id, task.received]),
        [[id, units(3.5)]]
      )
      assert.strictEqual((yield* showTask(id.slice(0, 8))).received, units(3.5))
      assert.include((yield* explainTask(id)).summary, "3.50 of 7.00 USDC received")
      assert.strictEqual((yield* walletReport(ann.agentAddress)).credit, units(3.5))
      const { open, openCount, readiness } = yield* overviewOnce
      assert.deepStrictEqual([open.length, openCount, readiness.database.ok], [1, 1, true])
    }).pipe(onWorld())
  )
})
