import { assert, describe, it } from "@effect/vitest"
import { type Array as Arr, Duration, Effect, Exit, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import { NodeFault } from "../../src/chain/classify.ts"
import type { Endpoint } from "../../src/chain/endpoint.ts"
import { largest } from "../../src/chain/pageSize.ts"
import { makeRpc } from "../../src/chain/rpc.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

/** An endpoint that answers with its own host's name, or does what the test says: no promise, no socket. */
const endpoint = (host: string, answer: Effect.Effect<string, NodeFault> = Effect.succeed(host)) => {
  const counted = { asked: 0, aborted: 0, answer }
  const ask = Effect.suspend(() => {
    counted.asked++
    return Effect.onInterrupt(counted.answer, () => Effect.sync(() => counted.aborted++))
  })
  return Object.assign(counted, {
    host,
    ask: () => ask as Effect.Effect<never, NodeFault>,
    pageSize: Ref.makeUnsafe(largest)
  }) satisfies Endpoint
}

const fails = (reason: NodeFault["reason"], detail = "no luck") => Effect.fail(new NodeFault({ reason, detail }))

const rpcOf = (
  endpoints: Arr.NonEmptyReadonlyArray<Endpoint>,
  verifyEndpoint: (endpoint: Endpoint) => Effect.Effect<void, NodeFault> = () => Effect.void
) => makeRpc({ endpoints, verifyEndpoint, rpcTimeout: Duration.seconds(10) })

const question = async () => "not asked: the endpoints here answer by themselves"

describe("the list of RPC URLs", () => {
  test("is asked from its first", function* () {
    const [first, second] = [endpoint("first"), endpoint("second")]
    const rpc = yield* rpcOf([first, second])
    assert.strictEqual(yield* rpc.ask("read", question), "first")
    assert.strictEqual(second.asked, 0)
  })

  test("fails over at once, and stays with what answered for a minute", function* () {
    const [first, second] = [endpoint("first", fails("Unavailable")), endpoint("second")]
    const rpc = yield* rpcOf([first, second])
    assert.strictEqual(yield* rpc.ask("read", question), "second")
    assert.strictEqual(yield* rpc.ask("read", question), "second")
    assert.strictEqual(first.asked, 1)
    first.answer = Effect.succeed("first")
    yield* TestClock.adjust("59 seconds")
    assert.strictEqual(yield* rpc.ask("read", question), "second")
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* rpc.ask("read", question), "first")
  })

  test("comes back to the first when the one that it stayed with fails", function* () {
    const [first, second] = [endpoint("first", fails("Unavailable")), endpoint("second")]
    const rpc = yield* rpcOf([first, second])
    yield* rpc.ask("read", question)
    first.answer = Effect.succeed("first")
    second.answer = fails("Unavailable")
    assert.strictEqual(yield* rpc.ask("read", question), "first")
  })

  test("gives each URL its share of RPC_TIMEOUT, and pays for a first one that hangs once a minute", function* () {
    const [first, second] = [endpoint("first", Effect.never), endpoint("second")]
    const rpc = yield* rpcOf([first, second])
    const asking = yield* Effect.forkChild(rpc.ask("read", question))
    yield* TestClock.adjust("4999 millis")
    assert.isUndefined(asking.pollUnsafe())
    yield* TestClock.adjust("1 millis")
    assert.strictEqual(yield* Fiber.join(asking), "second")
    assert.strictEqual(first.aborted, 1)
    for (let call = 0; call < 10; call++) assert.strictEqual(yield* rpc.ask("read", question), "second")
    assert.strictEqual(first.asked, 1)
  })

  test("takes no longer than RPC_TIMEOUT when nothing answers", function* () {
    const all = [endpoint("first", Effect.never), endpoint("second", Effect.never)] as const
    const rpc = yield* rpcOf(all)
    const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("read balances", question)))
    yield* TestClock.adjust("10 seconds")
    const error = yield* Fiber.join(asking)
    assert.strictEqual(error.reason, "Timeout")
    assert.strictEqual(error.operation, "read balances")
    assert.include(error.detail, "no answer within")
    assert.deepStrictEqual(
      all.map(({ aborted }) => aborted),
      [1, 1]
    )
  })

  test("counts the waits between tries against RPC_TIMEOUT too", function* () {
    const slow = Effect.delay(fails("RateLimited"), "4 seconds")
    const only = endpoint("only", slow)
    const rpc = yield* rpcOf([only])
    const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("read", question)))
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual((yield* Fiber.join(asking)).reason, "Timeout")
    assert.strictEqual(only.asked, 3)
  })

  test("tries a passing fault three times", function* () {
    for (const reason of ["RateLimited", "Unavailable", "Lagging"] as const) {
      const only = endpoint("only", fails(reason))
      const rpc = yield* rpcOf([only])
      const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("read", question)))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(asking)).reason, reason)
      assert.strictEqual(only.asked, 3, reason)
    }
  })

  test("tries nothing again that would be the same again", function* () {
    for (const reason of ["Rejected", "Unreadable", "Reverted"] as const) {
      const only = endpoint("only", fails(reason))
      const rpc = yield* rpcOf([only])
      assert.strictEqual((yield* Effect.flip(rpc.ask("read", question))).reason, reason)
      assert.strictEqual(only.asked, 1, reason)
    }
  })

  test("asks no other node after a contract's own no", function* () {
    const [first, second] = [endpoint("first", fails("Reverted")), endpoint("second")]
    const rpc = yield* rpcOf([first, second])
    assert.strictEqual((yield* Effect.flip(rpc.ask("read", question))).reason, "Reverted")
    assert.strictEqual(second.asked, 0)
  })

  test("asks the next node where an answer proves nothing", function* () {
    const rpc = yield* rpcOf([endpoint("behind"), endpoint("in time")])
    const doubt = (host: unknown) =>
      host === "behind" ? new NodeFault({ reason: "Lagging", detail: "two blocks behind" }) : undefined
    assert.strictEqual(yield* rpc.ask("read", question, doubt), "in time")
  })

  test("asks the next node where one may not be believed", function* () {
    const [first, second] = [endpoint("first"), endpoint("second")]
    const rpc = yield* rpcOf([first, second], ({ host }) =>
      host === "first" ? fails("Unavailable", "another chain") : Effect.void
    )
    assert.strictEqual(yield* rpc.ask("read", question), "second")
    assert.strictEqual(first.asked, 0)
  })

  test("reports what every node said, under the reason that says most", function* () {
    const rpc = yield* rpcOf([
      endpoint("silent", Effect.andThen(Effect.sleep("1 second"), fails("Timeout"))),
      endpoint("strict", fails("Rejected", "block range is too large")),
      endpoint("down", fails("Unavailable"))
    ])
    const asking = yield* Effect.forkChild(Effect.flip(rpc.ask("find mints", question)))
    yield* TestClock.adjust("1 second")
    const error = yield* Fiber.join(asking)
    assert.strictEqual(
      error.message,
      "find mints: Rejected (silent: no luck; strict: block range is too large; down: no luck)"
    )
  })

  test("aborts the request when the caller is interrupted", function* () {
    const only = endpoint("only", Effect.never)
    const rpc = yield* rpcOf([only])
    const asking = yield* Effect.forkChild(rpc.ask("read", question), { startImmediately: true })
    yield* Fiber.interrupt(asking)
    assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(asking)))
    assert.strictEqual(only.aborted, 1)
  })
})
