import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { pause, resume } from "../support/operator.ts"
import { launch, pass } from "../support/executor.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, person, readTask, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { assertDecided, refusal, stories, units, WHY } from "./given.ts"

const OTHER_TOKEN = `0x${"7f".repeat(20)}`

layer(Postgres.session())("a pause", (it) => {
  const { inMemory, onSql } = stories(it)
  onSql(
    "of everything holds payments back across a restart, sees money all the same, and ends by command",
    function* () {
      const world = yield* World
      const ann = yield* person("ann")
      const task = yield* order(ann, 5)
      const { did, scope } = yield* pause({}, WHY)
      assert.deepStrictEqual([did, scope], [true, "all"])
      yield* assertDecided("pause", null)
      world.deposit(ann.agentAddress, units(5))
      const first = yield* launch()
      yield* pass(60)
      assert.strictEqual((yield* readTask(task)).status, "funded")
      yield* first.stop
      yield* launch()
      yield* pass(60)
      assert.deepStrictEqual([(yield* readTask(task)).status, world.payments.length], ["funded", 0])
      assert.isFalse((yield* pause({}, WHY)).did)
      assert.deepStrictEqual((yield* resume({}, WHY)).pauses, [])
      yield* pass(60)
      assert.strictEqual((yield* readTask(task)).status, "completed")
      assert.isFalse((yield* resume({}, WHY)).did)
    }
  )

  onSql("of a token or a wallet is nobody else's", function* () {
    const world = yield* World
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const [ofAnn, ofBob] = [yield* order(ann, 5), yield* order(bob, 5)]
    const other = yield* order(ann, 1, { token_address: OTHER_TOKEN })
    for (const { agentAddress } of [ann, bob]) world.deposit(agentAddress, units(6))
    yield* pause({ token: TOKEN.toUpperCase().replace("0X", "0x") }, WHY)
    yield* launch()
    yield* pass(60)
    const states = () => Effect.forEach([ofAnn, ofBob, other], (id) => Effect.map(readTask(id), ({ status }) => status))
    assert.deepStrictEqual(yield* states(), ["funded", "funded", "completed"])
    yield* pause({ wallet: ann.userAddress }, WHY)
    yield* resume({ token: TOKEN }, WHY)
    yield* pass(60)
    assert.deepStrictEqual(yield* states(), ["funded", "completed", "completed"])
    yield* resume({ wallet: ann.agentAddress }, WHY)
    yield* pass(60)
    assert.deepStrictEqual(yield* states(), ["completed", "completed", "completed"])
  })

  inMemory("of what is not there is refused", function* () {
    assert.include(yield* refusal(pause({ wallet: "nobody" }, WHY)), "There is no agent wallet")
    assert.include(yield* refusal(pause({ token: "0x1" }, WHY)), "is no address")
    assert.include(yield* refusal(pause({ token: TOKEN, wallet: "x" }, WHY)), "not both")
  })
})
