import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { NoOffer } from "../../src/mint/Minter.ts"
import { create } from "../support/operator.ts"
import { serving, withToken } from "../api/served.ts"
import { anyId } from "../support/anyId.ts"
import * as Postgres from "../support/Postgres.ts"
import { editTask, person, TOKEN } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { assertUndecided, atWork, refusal, stories, units } from "./given.ts"

const id = anyId("33333333-3333-4333-8333-333333333333")

const away = new NoOffer({ reason: "Unavailable", message: "no answer" })

layer(Postgres.session())("placing an order", (it) => {
  const { inMemory, onSql } = stories(it)
  inMemory("twice makes one, though the price is another by now or the mint server is away", function* () {
    const world = yield* World
    const { userAddress } = yield* person("ann")
    const wish = { id, userAddress, tokenAddress: TOKEN, quantity: 3 }
    assert.deepInclude(yield* create(wish), { isNew: true, totalCost: units(3) })
    world.pricePerMint = units(2)
    world.manners.quote = () => away
    assert.deepInclude(yield* create(wish), { isNew: false, totalCost: units(3), pricePerMint: units(1) })
    assert.lengthOf(world.quotedAtMs, 1)
    assert.isFalse((yield* create({ ...wish, pricePerMint: units(1) })).isNew)
    for (const other of [{ pricePerMint: units(2) }, { quantity: 4 }, { tokenAddress: `0x${"7f".repeat(20)}` }]) {
      assert.include(yield* refusal(create({ ...wish, ...other })), "There is another order with the id")
    }
    yield* editTask(id, { price_per_mint: 0n })
    assert.include(yield* refusal(create(wish)), "There is another order with the id")
  })

  inMemory("while the mint server is away is no refusal: the same may be asked again", function* () {
    const world = yield* World
    const { userAddress } = yield* person("ann")
    const wish = { id, userAddress, tokenAddress: TOKEN, quantity: 3 }
    for (const reason of ["Unavailable", "Unreadable"] as const) {
      world.manners.quote = () => new NoOffer({ reason, message: "no answer" })
      const error = yield* Effect.flip(create(wish))
      assert.strictEqual(error._tag, "NoOffer")
      assert.include(error.message, "The mint server names no price now: no answer. Try again, or give one.")
    }
    world.manners.quote = () => new NoOffer({ reason: "Refused", message: "sold out" })
    assert.strictEqual((yield* Effect.flip(create(wish)))._tag, "Refused")
    yield* assertUndecided
    assert.isTrue((yield* create({ ...wish, pricePerMint: units(1) })).isNew)
  })

  it.effect("over the API is a 503 while the mint server is away, and a 409 where it will not sell", () =>
    Effect.gen(function* () {
      const { ask } = yield* serving(withToken)
      const world = yield* World
      const { userAddress } = yield* person("ann")
      const body = { userAddress, tokenAddress: TOKEN, quantity: 3 }
      world.manners.quote = () => away
      const unavailable = yield* ask("/api/tasks", { body })
      assert.deepStrictEqual([unavailable.status, unavailable.type], [503, "application/problem+json"])
      assert.include(unavailable.json.detail, "names no price now")
      world.manners.quote = () => new NoOffer({ reason: "Refused", message: "sold out" })
      assert.strictEqual((yield* ask("/api/tasks", { body })).status, 409)
    }).pipe(atWork(withToken))
  )

  onSql("for an agent wallet instead of a person is refused, and told whose it is", function* () {
    const { userAddress, agentAddress, walletId } = yield* person("ann")
    const wish = { id, tokenAddress: TOKEN, quantity: 3, pricePerMint: units(1) }
    const said = yield* refusal(create({ ...wish, userAddress: agentAddress }))
    assert.include(said, `${agentAddress} is the agent wallet of ${userAddress}: give the person's own address.`)
    assert.include(yield* refusal(create({ ...wish, userAddress: walletId })), "is no address of a person")
    yield* assertUndecided
  })
})
