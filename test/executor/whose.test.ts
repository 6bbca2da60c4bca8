import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { LogLines, inMemory, pass, start, startFor } from "../support/executor.ts"
import { order, paidOrder, readTask, TOKEN } from "../support/orders.ts"
import { stories } from "../support/stories.ts"
import { logged } from "./given.ts"

const answered = (reason: string) => `mint server answered 402: ${reason}`
const not = (whose: "wallet" | "ours" | "unknown", reason: string): PaymentAnswer => {
  return { _tag: "Unclear", reason: answered(reason), whose }
}
/** Windows of a minute: what has lasted for one is held. */
const SHORT = { authorizationWindow: Duration.minutes(1), logLevel: "Info" } as const

describe("a mint server that refuses", () => {
  const test = stories(it, inMemory(SHORT))

  test("for an unknown reason never fails the order: it says what it waits for, and is held at last", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => not("unknown", "kyt_provider_score")
    yield* startFor(20)
    const reason = answered("kyt_provider_score")
    assert.deepInclude(yield* readTask(task), {
      status: "processing",
      retry_count: 0,
      error_message: `Waiting: ${reason}`
    })
    yield* pass(300)
    assert.deepInclude(yield* readTask(task), {
      status: "processing",
      retry_count: 0,
      error_message: `Held for the operator: ${reason}`
    })
    const sent = world.payments.length
    assert.isAtMost(sent, 15, "ever more slowly, in each window")
    yield* pass(600)
    assert.strictEqual(world.payments.length, sent, "and never while it is held")
    assert.strictEqual(world.balance(who.agentAddress), 5_000_000n)
  })

  test("for an unknown reason, and then no more, is paid without a person", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => not("unknown", "kyt_provider_score")
    yield* startFor(30)
    delete world.manners.pay
    yield* pass(60)
    assert.deepInclude(yield* readTask(task), { status: "completed", retry_count: 0, error_message: null })
    assert.strictEqual(world.transfers.filter(({ to }) => to === TOKEN).length, 1)
  })

  test("many wallets alike holds none of them, and is on the attention list", function* (world) {
    const orders = yield* Effect.forEach(["ann", "bob", "eve"], (name) => paidOrder(name, 5))
    world.manners.pay = () => not("ours", "invalid_x402_version")
    yield* startFor(300)
    for (const { task } of orders) {
      const error_message = `Waiting: ${answered("invalid_x402_version")}`
      assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0, error_message })
    }
    const words = (yield* Incidents.open).map((incident) => incident.words)
    assert.include(words.join("\n"), "3 wallets are refused alike by the mint server")
    delete world.manners.pay
    yield* pass(130)
    for (const { task } of orders) assert.strictEqual((yield* readTask(task)).status, "completed")
  })

  test("the signature of a wallet that has code holds its order at once, and names the code", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    const delegate = `0x${"de".repeat(20)}` as const
    world.codes.set(who.agentAddress, `0xef0100${delegate.slice(2)}`)
    world.manners.pay = () => not("wallet", "invalid_exact_evm_signature")
    yield* pass(6)
    yield* startFor(2)
    const cause = `the agent wallet ${who.agentAddress} has the code of ${delegate} (EIP-7702)`
    const { status, error_message } = yield* readTask(task)
    assert.strictEqual(status, "processing")
    assert.include(String(error_message), `Held for the operator: ${cause}`)
    assert.include(String(error_message), "invalid_exact_evm_signature")
    yield* pass(300)
    assert.strictEqual(world.payments.length, 1)
  })

  test("a wallet whose money is gone leaves the order to a person once the payment has lapsed", function* (world) {
    const { who, task } = yield* paidOrder("ann", 5)
    world.manners.pay = () => not("wallet", "insufficient_funds")
    yield* pass(6)
    yield* start
    world.spend(who.agentAddress, address(`0x${"bd".repeat(20)}`), usdc(1_000_000n))
    yield* pass(150)
    const { status, error_message } = yield* readTask(task)
    assert.strictEqual(status, "processing")
    assert.include(String(error_message), "Held for the operator")
  })

  test("one token with a challenge that cannot be read says so on its order, and delays no other", function* (world) {
    const other = address(`0x${"70".repeat(20)}`)
    const { task } = yield* paidOrder("ann", 5, { token_address: other })
    const fine = yield* paidOrder("bob", 5)
    const message = "mint server answered 402: no offer in it can be read: accepts[0].payTo is missing"
    world.manners.quote = ({ token }) => (token === other ? new NoOffer({ reason: "Unreadable", message }) : undefined)
    yield* startFor(30)
    assert.deepInclude(yield* readTask(task), { status: "processing", error_message: `Waiting: ${message}` })
    assert.strictEqual((yield* readTask(fine.task)).status, "completed")
    yield* pass(120)
    const error_message = `Held for the operator: ${message}`
    assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0, error_message })
    assert.strictEqual(yield* logged("Minting is paused"), 0)
  })

  test("through a proxy's page costs the order nothing, is an incident, and ends by itself", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    const message = "mint server answered 403: not the server's own words (text/html)"
    world.manners.quote = () => new NoOffer({ reason: "Unavailable", message })
    yield* startFor(600)
    assert.deepInclude(yield* readTask(task), { status: "processing", retry_count: 0 })
    const words = (yield* Incidents.open).map((incident) => incident.words)
    assert.include(words, `Minting waits for the mint server: ${message}`)
    delete world.manners.quote
    yield* pass(90)
    assert.strictEqual((yield* readTask(task)).status, "completed")
    const after = (yield* Incidents.open).map((incident) => incident.key)
    assert.notInclude(after, `mint-server:${message}`)
  })

  stories(it, inMemory({ logLevel: "Info" }))("for the last time does not announce another try", function* (world) {
    const { task } = yield* paidOrder("ann", 5)
    const { who } = yield* paidOrder("bob", 1)
    yield* order(who, 1)
    const says = "mint server answered 409: sold out"
    world.manners.pay = () => ({ _tag: "Refused", reason: says })
    yield* startFor(50)
    const { all } = yield* LogLines
    assert.include(all.join("\n"), `Retry 2/3: ${says}`)
    assert.notInclude(all.join("\n"), "Retry 3/3")
    assert.deepInclude(yield* readTask(task), { error_message: `Refused 3 of 3 times, no further try: ${says}` })
  })
})
