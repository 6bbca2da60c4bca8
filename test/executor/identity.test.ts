import { assert, layer } from "@effect/vitest"
import { SqlClient } from "effect/sql"
import { resolveWallet } from "../support/operator.ts"
import { atWorkInMemory, atWork, refusal, STRANGER, units, WHY } from "../operator/given.ts"
import { anyId } from "../support/anyId.ts"
import { pass, start, startFor } from "../support/executor.ts"
import { heldReason, order, person, readTask } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { type Decided, stories } from "../support/stories.ts"
import { logged } from "./given.ts"

const inCapitals = (address: string) => `0x${address.slice(2).toUpperCase()}`

layer(Postgres.session())("whose money it is", (it) => {
  const test = stories<Decided>(it, atWorkInMemory())
  const onDatabase = stories<Decided>(it, atWork())

  test("is not decided by an order: one of another person is held, and takes nothing", function* (world) {
    const [ann, mallory] = [yield* person("ann"), yield* person("mallory")]
    // Older than the victim's own, and of the same cost: by the rules of money it would come first.
    const stolen = yield* order(ann, 5, { user_address: mallory.userAddress })
    const funded = yield* order(ann, 3, { user_address: mallory.userAddress, status: "processing" })
    yield* startFor(15)
    const own = yield* order(ann, 5, { user_address: inCapitals(ann.userAddress) })
    world.deposit(ann.agentAddress, units(8))
    yield* pass(60)
    assert.strictEqual((yield* readTask(own)).status, "completed")
    for (const [task, status] of [
      [stolen, "pending_payment"],
      [funded, "processing"]
    ] as const) {
      assert.strictEqual((yield* readTask(task)).status, status)
      assert.include(
        yield* heldReason(task),
        `user_address is ${mallory.userAddress}, and agent wallet ${ann.walletId} is`
      )
    }
    assert.deepStrictEqual([world.mintsTo(mallory.userAddress), world.mintsTo(ann.userAddress)], [0, 5])
  })

  onDatabase("is not decided by a change of its row: the wallet stops, and a person ends that", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    yield* startFor(15)
    yield* sql`UPDATE ai_agent_wallets SET user_address = ${STRANGER} WHERE id = ${ann.walletId}::uuid`
    const moved = yield* order(ann, 5, { user_address: STRANGER })
    const sound = yield* order(bob, 5)
    for (const who of [ann, bob]) world.deposit(who.agentAddress, units(5))
    yield* pass(60)
    const reason = `its user_address was ${ann.userAddress} and is ${STRANGER}`
    assert.strictEqual((yield* readTask(moved)).status, "pending_payment")
    assert.strictEqual((yield* readTask(sound)).status, "completed")
    assert.strictEqual(yield* logged(`🚨 Wallet ${ann.agentAddress} is stopped: ${reason}`), 1)
    yield* pass(700)
    assert.strictEqual((yield* readTask(moved)).status, "pending_payment", "nothing of a stopped wallet is cancelled")
    assert.strictEqual((yield* resolveWallet(ann.walletId, WHY)).stopped, reason)
    yield* pass(60)
    assert.strictEqual((yield* readTask(moved)).status, "completed", "as the person has decided")
    assert.strictEqual(world.mintsTo(STRANGER), 5)
  })

  onDatabase("is not shared by two rows with one account: both stop until one of them is gone", function* (world) {
    const sql = yield* SqlClient.SqlClient
    const ann = yield* person("ann")
    yield* start
    world.deposit(ann.agentAddress, units(8))
    const first = yield* order(ann, 3)
    yield* pass(60)
    assert.strictEqual((yield* readTask(first)).status, "completed")
    const twin = anyId("00000000-0000-4000-8000-00000000abcd")
    yield* sql`
        INSERT INTO ai_agent_wallets (id, user_address, agent_address, encrypted_private_key)
        SELECT ${twin}::uuid, ${STRANGER}, ${inCapitals(ann.agentAddress)}, encrypted_private_key FROM ai_agent_wallets`
    const stolen = yield* order({ ...ann, walletId: twin, userAddress: STRANGER }, 5)
    const funded = yield* order({ ...ann, walletId: twin, userAddress: STRANGER }, 5, { status: "funded" })
    yield* pass(90)
    assert.strictEqual(world.balance(ann.agentAddress), units(5))
    assert.deepStrictEqual(
      [(yield* readTask(stolen)).status, (yield* readTask(funded)).status],
      ["pending_payment", "funded"]
    )
    for (const [wallet, other] of [
      [ann.walletId, twin],
      [twin, ann.walletId]
    ] as const) {
      assert.include(yield* refusal(resolveWallet(wallet, WHY)), `Agent wallet ${other} has the same agent_address`)
    }
    yield* sql`DELETE FROM ai_agent_tasks WHERE agent_wallet_id = ${twin}::uuid`
    yield* sql`DELETE FROM ai_agent_wallets WHERE id = ${twin}::uuid`
    yield* resolveWallet(ann.walletId, WHY)
    const own = yield* order(ann, 5)
    yield* pass(60)
    assert.strictEqual((yield* readTask(own)).status, "completed")
  })
})
