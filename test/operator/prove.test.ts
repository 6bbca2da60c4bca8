import { assert, layer } from "@effect/vitest"
import { Schema } from "effect"
import { SqlClient } from "effect/sql"
import { local } from "../../src/config/Network.ts"
import { nonceOf } from "../../src/domain/Batch.ts"
import { signerOf } from "../../src/proof/digest.ts"
import { Proof } from "../../src/proof/Proof.ts"
import { checkContent } from "../../src/proof/verify.ts"
import { KEY, SIGNER } from "../proof/given.ts"
import { pass, start } from "../support/executor.ts"
import { prove, refund } from "../support/operator.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { atWork, casesIn, givenHeld, refusal, units, WHY } from "./given.ts"

const QUOTE = "1b671a64-40d5-491e-99b0-da01ff1f3341"

layer(Postgres.session())("proving an order", (it) => {
  const proving = casesIn(it, atWork({ aiAgentPrivateKey: KEY }))
  const unsigned = casesIn(it, atWork())

  proving("names what paid for it, what it paid and got, and what went back, and signs that", function* () {
    const world = yield* World
    const who = yield* person("ann")
    const task = yield* order(who, 12)
    yield* start
    yield* pass(5)
    world.deposit(who.agentAddress, units(15))
    yield* pass(60)
    yield* refund(who.agentAddress, { confirm: true, to: who.userAddress, amount: units(2) }, WHY)
    yield* pass(60)
    const proof = yield* prove(task.slice(0, 8))
    assert.isNull(proof.proof.quote)
    const { chainId, order: claimed, deposits, payments, mints, refunds, blocks } = proof.proof
    assert.deepInclude(claimed, { id: task, status: "completed", user: who.userAddress, mintsCompleted: 12 })
    assert.deepStrictEqual(
      deposits.map(({ amount, used }) => [amount, used]),
      [[units(15), units(12)]]
    )
    const seed = { chainId, usdc: local.usdc.address, payer: who.agentAddress, taskId: task }
    assert.deepStrictEqual(
      payments.map(({ batch, quantity, amount, nonce }) => ({ batch, quantity, amount, nonce })),
      [
        { batch: 1, quantity: 10, amount: units(10), nonce: nonceOf({ ...seed, number: 1 }) },
        { batch: 2, quantity: 2, amount: units(2), nonce: nonceOf({ ...seed, number: 2 }) }
      ]
    )
    assert.deepStrictEqual(
      mints.map(({ mintNumber }) => mintNumber),
      Array.from({ length: 12 }, (_, index) => index + 1)
    )
    assert.deepStrictEqual(
      refunds.map(({ payTo, amount }) => [payTo, amount]),
      [[who.userAddress, units(2)]]
    )
    for (const { number, hash } of blocks) assert.strictEqual(hash, world.hashAt(number))

    const { signed, checks } = yield* checkContent(proof, SIGNER)
    assert.strictEqual(signed, SIGNER)
    assert.deepStrictEqual(
      checks.filter(({ result }) => result !== "holds"),
      []
    )
    // As a file holds it, and as it comes back over the API.
    const json = Schema.encodeSync(Proof)(proof)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Proof)(JSON.parse(JSON.stringify(json))), proof)
    assert.strictEqual(yield* signerOf(json.proof, proof.signature?.value ?? "0x"), SIGNER)
  })

  unsigned("is not signed without an account, and is of what there is so far", function* () {
    const { task } = yield* givenHeld("cancelled")
    const { proof, signature } = yield* prove(task)
    assert.isNull(signature)
    assert.deepStrictEqual([proof.deposits.length, proof.payments, proof.mints], [1, [], []])
  })

  unsigned("names the quote that the order was placed with", function* () {
    const { task, who } = yield* paidOrder("ann", 2)
    yield* start
    yield* pass(60)
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      INSERT INTO ai_agent_quotes (id, wallet_id, token, quantity, price_per_mint, created_at, expires_at, task_id)
      SELECT ${QUOTE}::uuid, w.id, '0xcc', 2, 1000000, '2026-01-31T09:00:00Z', '2026-01-31T09:10:00Z', ${task}::uuid
      FROM ai_agent_wallets w WHERE w.agent_address = ${who.agentAddress}`
    const proof = yield* prove(task)
    assert.deepStrictEqual(proof.proof.quote, {
      id: QUOTE,
      quantity: 2,
      pricePerMint: units(1),
      quotedAt: "2026-01-31T09:00:00.000Z",
      expiresAt: "2026-01-31T09:10:00.000Z"
    })
    const { checks } = yield* checkContent(proof, undefined)
    assert.deepStrictEqual(
      checks.filter(({ result }) => result !== "holds"),
      []
    )
  })

  unsigned("leaves out a deposit that the chain took back", function* () {
    const { task } = yield* paidOrder("ann", 2)
    yield* start
    yield* pass(60)
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE ai_agent_deposits SET withdrawn_at = now()`
    assert.deepStrictEqual((yield* prove(task)).proof.deposits, [])
  })

  unsigned("is refused for an order that nothing was paid for, and for one that is not there", function* () {
    const task = yield* order(yield* person("ann"), 2)
    assert.match(yield* refusal(prove(task)), /^The ledger has no deposit and no payment of this order/)
    assert.match(yield* refusal(prove("00000000")), /^There is no task 00000000/)
  })
})
