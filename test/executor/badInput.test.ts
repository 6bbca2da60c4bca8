import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Postgres from "../support/Postgres.ts"
import { LogLines, inMemory, onWorld, pass, start, startFor } from "../support/executor.ts"
import {
  editTask,
  encrypt,
  heldReason,
  order,
  type OrderColumns,
  paidOrder,
  person,
  readTask,
  TOKEN
} from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { World } from "../support/World.ts"

const ORDER = "Held, this order cannot be carried out: "
const NOWHERE = "99999999-9999-4999-8999-999999999999"
const ESC = "\u001b"

interface BadOrder {
  readonly name: string
  readonly columns: OrderColumns
  readonly says: string
}

const badOrders: ReadonlyArray<BadOrder> = [
  {
    name: "to somebody who is no address",
    columns: { user_address: "0x1234" },
    says: `${ORDER}user_address "0x1234" is not an address`
  },
  {
    name: "for a token that is no address",
    columns: { token_address: "" },
    says: `${ORDER}token_address "" is not an address`
  },
  {
    name: "of no mint",
    columns: { quantity: 0, total_cost: 0n },
    says: `${ORDER}quantity is 0, it must be 1 to 1000`
  },
  {
    name: "of 1001 mints",
    columns: { quantity: 1001, total_cost: 1_001_000_000n },
    says: `${ORDER}quantity is 1001, it must be 1 to 1000`
  },
  {
    name: "whose cost is not price times quantity",
    columns: { total_cost: 4_999_999n },
    says: `${ORDER}total_cost is 4.999999 USDC, price_per_mint × quantity is 5.00 USDC`
  },
  {
    name: "at no price",
    columns: { price_per_mint: 0n, total_cost: 0n },
    says: `${ORDER}price_per_mint is 0.00 USDC, it must be more than 0`
  },
  {
    name: "of a wallet that does not exist",
    columns: { agent_wallet_id: NOWHERE },
    says: `${ORDER}agent_wallet_id ${NOWHERE} is not in ai_agent_wallets`
  },
  {
    name: "with terminal codes and line breaks for an address",
    columns: { user_address: `${ESC}[2J\u009b31m\r\n[INFO] ✅ all is well` },
    says: `${ORDER}user_address "\\u001b[2J\u009b31m\\r\\n[INFO] ✅ all is well" is not an address`
  }
]

const badKeys = [
  { name: "that is no text of its form", key: "deadbeef", says: /is not of the form ivHex:authTagHex:cipherHex/ },
  {
    name: "that was encrypted with another key",
    key: encrypt("7".repeat(64), "f".repeat(64)),
    says: /does not decrypt/
  },
  { name: "of another address", key: encrypt("7".repeat(64)), says: /belongs to another address, 0x[0-9a-f]{40}/ },
  { name: "that is no number", key: encrypt("z".repeat(64)), says: /something that is no private key/ }
]

/** A line break or a terminal code in a log would let a stranger write lines of their own. */
const isClean = (line: string): boolean => !/[\u0000-\u001f\u007f-\u009f]/.test(line)

const errors = (lines: ReadonlyArray<string>, task: string) =>
  lines.filter((line) => line.includes("[ERROR] 🚨 Task") && line.includes(task.slice(0, 8)))

/** Each order is held, told once, and costs nothing; everybody else's goes on. */
const areHeldAlone = Effect.fnUntraced(function* (
  tasks: ReadonlyMap<string, TaskId>,
  says: (message: string | null) => void
) {
  const world = yield* World
  const { all } = yield* LogLines
  const bob = yield* paidOrder("bob", 5)
  yield* start
  // Beside an order that another program has in work, what money is meant for is uncertain for a few sweeps.
  yield* pass(40)
  const asked = world.quotedAtMs.length
  yield* pass(100)
  for (const [status, task] of tasks) {
    const held = yield* readTask(task)
    assert.strictEqual(held.status, status)
    says(held.error_message)
    assert.strictEqual(yield* heldReason(task), held.error_message)
    assert.strictEqual(errors(all, task).length, 1, "told once, and not at every tick")
  }
  assert.isTrue(all.every(isClean))
  assert.strictEqual((yield* readTask(bob.task)).status, "completed")
  assert.strictEqual(world.quotedAtMs.length, asked, "nobody asks for a price again and again")
})

const inEach = <E, R>(statuses: ReadonlyArray<string>, place: (status: string) => Effect.Effect<TaskId, E, R>) =>
  Effect.map(
    Effect.forEach(statuses, (status) => Effect.map(place(status), (task) => [status, task] as const)),
    (tasks) => new Map(tasks)
  )

layer(Postgres.session())("an order that cannot be carried out", (it) => {
  const test = stories(it, inMemory())
  const onDatabase = stories(it, onWorld())

  for (const { name, columns, says } of badOrders) {
    test(`${name} is held and explained in whatever status, and all others go on`, function* (world) {
      const ann = yield* paidOrder("ann", 5)
      world.deposit(ann.who.agentAddress, usdc(9_000_000_000n))
      const tasks = yield* inEach(["pending_payment", "funded", "processing"], (status) =>
        order(ann.who, 5, { status, ...columns })
      )
      yield* areHeldAlone(tasks, (message) => assert.strictEqual(message, says))
      assert.strictEqual((yield* readTask(ann.task)).status, "completed", "the wallet's other order")
      assert.strictEqual(world.payments.length, 2)
    })
  }

  for (const { name, key, says } of badKeys) {
    test(`of a wallet with a key ${name} is held and explained, and all others go on`, function* (world) {
      const ann = yield* person("ann", { key })
      const tasks = yield* inEach(["pending_payment", "funded"], (status) => order(ann, 5, { status }))
      world.deposit(ann.agentAddress, usdc(10_000_000n))
      yield* areHeldAlone(tasks, (message) => assert.match(message ?? "", says))
      assert.strictEqual(world.paidBy(ann.agentAddress).length, 0)
    })
  }

  test("that becomes one in the middle is held after the payment on its way was delivered", function* (world) {
    const { who, task } = yield* paidOrder("ann", 20)
    yield* startFor(11)
    yield* editTask(task, { user_address: "moved" })
    yield* pass(60)
    const held = yield* readTask(task)
    assert.deepInclude(held, { status: "processing", mints_completed: 10 })
    assert.strictEqual(held.error_message, `${ORDER}user_address "moved" is not an address`)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
    assert.strictEqual(world.mintsTo(who.userAddress), 10)
  })

  onDatabase("whose key breaks in the middle is held before the next payment", function* (world) {
    const { who, task } = yield* paidOrder("ann", 20)
    yield* startFor(11)
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE ai_agent_wallets SET encrypted_private_key = 'gone' WHERE id = ${who.walletId}::uuid`
    yield* pass(60)
    const held = yield* readTask(task)
    assert.deepInclude(held, { status: "processing", mints_completed: 10 })
    assert.match(held.error_message ?? "", /^Held for the operator: the key of agent wallet 0x/)
    assert.strictEqual(world.paidBy(who.agentAddress).length, 1)
  })

  onDatabase("is carried out once an operator has repaired and released it", function* (world) {
    const ann = yield* person("ann")
    const task = yield* order(ann, 5, { token_address: "TBD" })
    world.deposit(ann.agentAddress, usdc(5_000_000n))
    yield* startFor(700)
    assert.strictEqual((yield* readTask(task)).status, "pending_payment", "a held order is not cancelled")
    const sql = yield* SqlClient.SqlClient
    yield* editTask(task, { token_address: TOKEN, error_message: null })
    yield* sql`UPDATE ai_agent_task_state SET held_at = NULL, held_reason = NULL`
    yield* pass(40)
    assert.strictEqual((yield* readTask(task)).status, "completed")
  })
})
