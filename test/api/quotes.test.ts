import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { QUOTE_MS } from "../../src/domain/Quote.ts"
import { NoOffer } from "../../src/mint/Minter.ts"
import { person, TOKEN } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { World } from "../support/World.ts"
import { units } from "../operator/given.ts"
import { serving, stories, withToken } from "./served.ts"

const USER = "0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

type Asks = Effect.Success<ReturnType<typeof serving>>["ask"]

const keyFor = (ask: Asks, name: string, user?: string) =>
  Effect.map(
    ask("/api/keys", {
      body: { name, scopes: ["orders:create", "orders:read"], ...(user === undefined ? {} : { user }) }
    }),
    ({ json }) => json.secret as string
  )

layer(Postgres.session())("from nothing to an order", (it) => {
  const { served } = stories(it)

  served("a person gets one agent wallet, however many ask at once, whose key nothing shows", function* () {
    const { ask } = yield* serving(withToken)
    const token = yield* keyFor(ask, "shop")
    const answers = yield* Effect.all(
      Array.from({ length: 8 }, () => ask("/api/wallets", { token, body: { user: USER } })),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.lengthOf(new Set(answers.map(({ json }) => json.agentAddress)), 1)
    assert.lengthOf(
      answers.filter(({ json }) => json.isNew),
      1
    )
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<Record<string, string>>`SELECT * FROM ai_agent_wallets`
    assert.strictEqual(row?.["user_address"], USER.toLowerCase())
    assert.match(row?.["encrypted_private_key"] ?? "", /^[0-9a-f]{32}:[0-9a-f]{32}:[0-9a-f]{128}$/)
    assert.notInclude(JSON.stringify(answers.map(({ text }) => text)), row?.["encrypted_private_key"] ?? "")
    // The person's own address is no agent wallet, and an agent wallet is no person.
    const agent = answers[0]?.json.agentAddress
    assert.strictEqual((yield* ask("/api/wallets", { token, body: { user: agent } })).status, 409)
    for (const user of ["0x", `0x${"00".repeat(20)}`, "ann", ""]) {
      assert.oneOf((yield* ask("/api/wallets", { token, body: { user } })).status, [400, 409], user)
    }
  })

  served("a quote says what it costs and where to pay, and pays for nothing", function* () {
    const { ask } = yield* serving(withToken)
    const token = yield* keyFor(ask, "shop")
    const world = yield* World
    const { agentAddress, userAddress } = yield* person("ann")
    const quoted = yield* ask("/api/quotes", { token, body: { user: userAddress, token: TOKEN, quantity: 3 } })
    assert.strictEqual(quoted.status, 201, quoted.text)
    assert.deepInclude(quoted.json, {
      pricePerMint: String(units(1)),
      totalCost: String(units(3)),
      payTo: agentAddress,
      quantity: 3
    })
    assert.isEmpty((yield* ask("/api/tasks")).json.tasks)
    // The price holds, whatever the server asks by now.
    world.pricePerMint = units(2)
    const wish = { userAddress, tokenAddress: TOKEN, quantity: 3, quoteId: quoted.json.quoteId }
    const placed = yield* ask("/api/tasks", { token, body: wish })
    assert.strictEqual(placed.status, 201, placed.text)
    assert.deepInclude(placed.json, { isNew: true, totalCost: String(units(3)), taskId: quoted.json.quoteId })
    const again = yield* ask("/api/tasks", { token, body: wish })
    assert.deepInclude(again.json, { isNew: false, taskId: placed.json.taskId })
  })

  served("a quote is used once, in its time, by the same key, for what it was asked for", function* () {
    const { ask } = yield* serving(withToken)
    const [shop, other] = [yield* keyFor(ask, "shop"), yield* keyFor(ask, "other")]
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const quote = Effect.map(
      ask("/api/quotes", { token: shop, body: { user: ann.userAddress, token: TOKEN, quantity: 3 } }),
      ({ json }) => ({
        userAddress: ann.userAddress,
        tokenAddress: TOKEN,
        quantity: 3,
        quoteId: json.quoteId as string
      })
    )
    const wish = yield* quote
    const refused = Effect.fnUntraced(function* (body: object, words: string, token = shop) {
      const { status, json } = yield* ask("/api/tasks", { token, body })
      assert.strictEqual(status, 409, words)
      assert.include(json.detail, words)
      yield* TestClock.adjust("1 second")
    })
    yield* refused(wish, `There is no quote ${wish.quoteId}.`, other)
    yield* refused({ ...wish, quoteId: "00000000-0000-4000-8000-000000000001" }, "There is no quote")
    yield* refused({ ...wish, quantity: 4 }, "is for another order")
    yield* refused({ ...wish, userAddress: bob.userAddress }, "is for another order")
    yield* refused({ ...wish, pricePerMint: "1" }, "names another price")
    const id = "33333333-3333-4333-8333-333333333333"
    assert.strictEqual((yield* ask("/api/tasks", { token: shop, body: { ...wish, id } })).status, 201)
    yield* refused(wish, `was used for order ${id}`)
    const late = yield* quote
    yield* TestClock.adjust(QUOTE_MS)
    yield* refused(late, "has expired")
  })

  served("a sold out token, or a mint server that names no price, gives no quote", function* () {
    const { ask } = yield* serving(withToken)
    const world = yield* World
    const { userAddress: user } = yield* person("ann")
    const body = { user, token: TOKEN, quantity: 3 }
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "sold out" })
    const refused = yield* ask("/api/quotes", { body })
    assert.deepStrictEqual([refused.status, refused.json.detail], [409, "The mint server names no price: sold out."])
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message: "no answer" })
    assert.strictEqual((yield* ask("/api/quotes", { body })).status, 503)
    assert.strictEqual((yield* ask("/api/quotes", { body: { ...body, user: USER } })).status, 404)
  })

  served("a key that is bound to a person prepares nothing for another", function* () {
    const { ask } = yield* serving(withToken)
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const token = yield* keyFor(ask, "ann", ann.userAddress)
    const quote = (user: string) => ask("/api/quotes", { token, body: { user, token: TOKEN, quantity: 3 } })
    assert.strictEqual((yield* quote(ann.userAddress)).status, 201)
    assert.strictEqual((yield* quote(bob.userAddress)).status, 404)
    assert.strictEqual((yield* ask("/api/wallets", { token, body: { user: bob.userAddress } })).status, 409)
    assert.strictEqual((yield* ask("/api/wallets", { token, body: { user: USER } })).status, 409)
    const wish = { tokenAddress: TOKEN, quantity: 3, pricePerMint: "1000000" }
    assert.strictEqual(
      (yield* ask("/api/tasks", { token, body: { ...wish, userAddress: bob.userAddress } })).status,
      404
    )
  })
})
