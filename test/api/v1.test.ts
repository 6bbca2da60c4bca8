import { assert, layer } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { start } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, order, person } from "../support/orders.ts"
import { serving, stories, withToken } from "./served.ts"

const V1 = "/api/ai-agent"

layer(Postgres.session())("what v1.1's front end asks", (it) => {
  const { served } = stories(it)
  served("one order, in the fields that it knows and no others", function* () {
    const { ask } = yield* serving(withToken)
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    const { status, json } = yield* ask(`${V1}/task/${task}`)
    const { createdAt, tokenAddress, ...others } = json.task
    assert.strictEqual(status, 200)
    assert.deepStrictEqual([json.success, Object.keys(json)], [true, ["success", "task"]])
    assert.deepStrictEqual(others, {
      id: task,
      userAddress: ann.userAddress,
      agentWalletId: ann.walletId,
      quantity: 5,
      pricePerMint: "1000000",
      totalCost: "5000000",
      status: "pending_payment",
      mintsCompleted: 0,
      mintsFailed: 0,
      fundingTxHash: null,
      errorMessage: null,
      completedAt: null
    })
    assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.match(tokenAddress, /^0x/)
  })

  served("a person's orders, with limit, offset and how many there are", function* () {
    const { ask } = yield* serving(withToken)
    const ann = yield* person("ann")
    for (let n = 1; n <= 3; n++) {
      yield* order(ann, n)
      yield* TestClock.adjust("1 second")
    }
    const { json } = yield* ask(`${V1}/tasks/${ann.userAddress}?limit=2&offset=1`)
    assert.deepStrictEqual(Object.keys(json), ["success", "tasks", "total"])
    assert.deepStrictEqual(
      json.tasks.map(({ quantity }: { quantity: number }) => quantity),
      [2, 1]
    )
    assert.strictEqual(json.total, 3)
    const odd = yield* ask(`${V1}/tasks/${ann.userAddress}?limit=-1&offset=x`)
    assert.lengthOf(odd.json.tasks, 3)
    const stranger = yield* ask(`${V1}/tasks/nobody`)
    assert.deepStrictEqual([stranger.status, stranger.json], [400, { error: "Invalid address" }])
  })

  served("to cancel and to retry, in its words", function* () {
    const { ask } = yield* serving(withToken)
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    const post = { method: "POST" }
    const cancelled = yield* ask(`${V1}/task/${task}/cancel`, post)
    assert.deepStrictEqual(cancelled.json, { success: true, message: "Task cancelled" })
    const again = yield* ask(`${V1}/task/${task}/cancel`, post)
    assert.strictEqual(again.status, 400)
    assert.deepStrictEqual(Object.keys(again.json), ["error", "message"])
    const held = yield* order(ann, 5)
    yield* editTask(held, { total_cost: 1n })
    yield* start
    yield* editTask(held, { total_cost: 5_000_000n })
    const retried = yield* ask(`${V1}/task/${held}/retry`, post)
    assert.deepStrictEqual(retried.json, { success: true, message: "Task will be retried" })
    for (const id of ["nothing", "ffffffff-ffff-4fff-8fff-ffffffffffff", task.slice(0, 8)]) {
      const missing = yield* ask(`${V1}/task/${id}`)
      assert.deepStrictEqual([missing.status, missing.json], [404, { error: "Task not found" }])
    }
    assert.strictEqual((yield* ask(`${V1}/task/nothing/cancel`, post)).status, 404)
  })
})
