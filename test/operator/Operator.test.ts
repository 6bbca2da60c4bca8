import { assert, layer } from "@effect/vitest"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import { Effect, Layer } from "effect"
import { Readiness } from "../../src/checks/Readiness.ts"
import { Operator } from "../../src/operator/Operator.ts"
import * as OperatorDirect from "../../src/operator/OperatorDirect.ts"
import { Status } from "../../src/operator/Status.ts"
import { onWorld, pass, start } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { units } from "./given.ts"

const direct = OperatorDirect.layer.pipe(
  Layer.provide(Status.layer),
  Layer.provide(Readiness.layer),
  Layer.provide(NodeCrypto.layerSecureRandom)
)

layer(Postgres.session())("an operator without an executor", (it) => {
  it.effect("answers as the API has it: status, list, order, wallet", () =>
    Effect.gen(function* () {
      const world = yield* World
      const ann = yield* person("ann")
      const id = yield* order(ann, 7)
      world.deposit(ann.agentAddress, units(3.5))
      yield* start
      yield* pass(20)
      const operator = yield* Operator
      const { tasks } = yield* operator.listTasks({ status: "pending_payment" })
      assert.deepStrictEqual(
        tasks.map((task) => [task.id, task.received]),
        [[id, units(3.5)]]
      )
      assert.strictEqual((yield* operator.showTask(id.slice(0, 8))).received, units(3.5))
      assert.include((yield* operator.explainTask(id)).summary, "3.50 of 7.00 USDC received")
      assert.strictEqual((yield* operator.showWallet(ann.agentAddress)).credit, units(3.5))
      const { open, openCount, readiness } = yield* operator.status
      assert.deepStrictEqual([open.length, openCount, readiness.database.ok], [1, 1, true])
    }).pipe(Effect.provide(direct), onWorld())
  )
})
