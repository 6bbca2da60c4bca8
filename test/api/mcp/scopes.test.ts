import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { order, person } from "../../support/orders.ts"
import * as Postgres from "../../support/Postgres.ts"
import { serving, stories, withToken } from "../served.ts"
import { overHttp } from "./client.ts"

/** The API with `/mcp`, and an agent of it that has a key of these scopes. */
const agents = Effect.gen(function* () {
  const { ask, url } = yield* serving(withToken)
  const agentWith = Effect.fnUntraced(function* (name: string, key: object) {
    yield* TestClock.adjust("1 second")
    const { json } = yield* ask("/api/keys", { body: { name, ...key } })
    return yield* overHttp(url, json.secret)
  })
  return { ask, agentWith }
})

layer(Postgres.session())("an agent with a key", (it) => {
  const { served } = stories(it)

  served("has the tools of its scopes, and hears in words that it lacks the others", function* () {
    const { agentWith } = yield* agents
    const ann = yield* person("ann")
    const task = yield* order(ann, 5)
    const wish = { user: ann.userAddress, token: `0x${"7e".repeat(20)}`, quantity: 1 }
    const calls = [
      ["quote_mint", wish, "orders:create"],
      ["place_order", { ...wish, quoteId: "33333333-3333-4333-8333-333333333333" }, "orders:create"],
      ["get_order", { order: task }, "orders:read"],
      ["wait_for_order", { order: task, seconds: 1 }, "orders:read"],
      ["cancel_order", { order: task, why: "a mistake" }, "orders:cancel"],
      ["list_orders", {}, "orders:read"]
    ] as const
    const { call, client } = yield* agentWith("books", { scopes: ["audit"] })
    for (const [tool, args, scope] of calls) {
      const { isError, text } = yield* call(tool, args)
      assert.isTrue(isError, tool)
      assert.include(text, `Refused: this key lacks the scope ${scope}. Nothing has changed, and no money has moved.`)
    }
    const explained = yield* Effect.promise(() =>
      client.readResource({ uri: `order://${task}/explain` }).catch((error: unknown) => String(error))
    )
    assert.include(explained, "this key lacks the scope orders:read")

    const reader = yield* agentWith("reader", { scopes: ["orders:read"] })
    assert.strictEqual((yield* reader.call("get_order", { order: task })).structured.order.status, "pending_payment")
    const canceller = yield* agentWith("canceller", { scopes: ["orders:cancel", "orders:read"] })
    const cancelled = yield* canceller.call("cancel_order", { order: task, why: "a mistake" })
    assert.strictEqual(cancelled.structured.order.status, "cancelled", cancelled.text)
  })

  served("of one person finds no order of another: not one that exists, and none that does not", function* () {
    const { agentWith } = yield* agents
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const [hers, his] = [yield* order(ann, 1), yield* order(bob, 1)]
    const { call } = yield* agentWith("ann", { scopes: ["orders:read", "orders:cancel"], user: ann.userAddress })
    const { tasks } = (yield* call("list_orders")).structured
    assert.deepStrictEqual(
      tasks.map(({ id }: { readonly id: string }) => id),
      [hers]
    )
    const none = "00000000-0000-4000-8000-000000000001"
    for (const [tool, more] of [
      ["get_order", {}],
      ["wait_for_order", {}],
      ["cancel_order", { why: "a mistake" }]
    ] as const) {
      const [ofBob, ofNone] = [yield* call(tool, { order: his, ...more }), yield* call(tool, { order: none, ...more })]
      assert.isTrue(ofBob.isError)
      assert.strictEqual(ofBob.text.replaceAll(his, none), ofNone.text)
    }
  })
})
