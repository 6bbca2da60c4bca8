import { assert, describe, it } from "@effect/vitest"
import { resolveWallet } from "../support/operator.ts"
import { pass, start } from "../support/executor.ts"
import { order, person, readTask } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { assertDecided, refusal, stories, STRANGER, units, WHY } from "./given.ts"

describe("a stopped wallet", () => {
  const { inMemory } = stories(it)
  inMemory("goes on with what the chain shows, when a person says so", function* () {
    const world = yield* World
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    world.deposit(ann.agentAddress, units(4))
    yield* start
    yield* pass(20)
    assert.include(yield* refusal(resolveWallet(ann.agentAddress, WHY)), "is not stopped")
    world.spend(ann.agentAddress, STRANGER, units(1))
    yield* pass(20)
    assert.include((yield* readTask(task)).error_message, "the agent wallet is stopped")
    world.deposit(ann.agentAddress, units(2))
    yield* pass(20)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment")
    const report = yield* resolveWallet(ann.userAddress.toUpperCase().replace("0X", "0x"), WHY)
    assert.deepInclude(report, { wallet: ann.agentAddress, balance: units(5) })
    assert.include(report.stopped, `1.00 USDC went to ${STRANGER}`)
    yield* assertDecided("resolve", null)
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", error_message: null })
    assert.include(yield* refusal(resolveWallet("nobody", WHY)), 'There is no agent wallet "nobody"')
  })
})
