import { assert } from "@effect/vitest"
import { Effect, Result, Schedule } from "effect"
import type { Address } from "../../src/domain/Address.ts"
import * as Faults from "../../src/sandbox/faults.ts"
import {
  keepsQuiet,
  mintsOf,
  newPayer,
  newToken,
  onChain,
  order,
  post,
  PRICE,
  type Reply,
  serve,
  sign,
  usdcOf
} from "./mintFixtures.ts"
import { emptyDirectory } from "./commandFixtures.ts"

/** A server that sells a token and on which these go wrong from the next request on. */
const openShop = Effect.fnUntraced(function* (...on: ReadonlyArray<Faults.Fault>) {
  const token = yield* newToken()
  const faults = Faults.make()
  const { url } = yield* serve({ token, faults, dataDir: yield* emptyDirectory })
  const at = `${url}/api/mint/${token}`
  const payment = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
  faults.set(on)
  return { at, token, faults, ...payment }
})

/** How many mints are paid, and how many are made. */
const account = Effect.fnUntraced(function* (token: Address) {
  return { paid: Number((yield* usdcOf(token)) / PRICE), minted: (yield* mintsOf(token)).length }
})

const ALL = { paid: 3, minted: 3 }
const NOTHING = { paid: 0, minted: 0 }

/** How long a server that should be silent is listened to: longer than a busy machine takes to settle and to mint. */
const SILENCE = "3 seconds"

type Story = readonly [kind: Faults.FaultKind, status: number | "cut" | "silent", account: typeof ALL]

/** What the customer gets who pays for three mints, and what is on chain then. */
const stories: ReadonlyArray<Story> = [
  ["outage", 503, NOTHING],
  ["refuse", 400, NOTHING],
  ["refuse-payment", 400, NOTHING],
  ["lost-before-settlement", "cut", NOTHING],
  ["hang-before-settlement", "silent", NOTHING],
  ["settle-nothing", 200, NOTHING],
  ["mint-fails", 500, { paid: 3, minted: 0 }],
  ["mint-nothing", 200, { paid: 3, minted: 0 }],
  ["lost-after-settlement", "cut", ALL],
  ["hang-after-settlement", "silent", ALL],
  ["answer-402", 402, ALL],
  ["answer-408", 408, ALL],
  ["answer-500", 500, ALL],
  ["answer-502", "cut", ALL],
  ["settlement-pending", 402, ALL],
  ["truncated", "cut", ALL],
  ["malformed", "cut", ALL]
]

const statusOf = (answer: Effect.Success<ReturnType<typeof listen>>) =>
  answer === undefined ? "silent" : Result.isSuccess(answer) ? answer.success.status : "cut"

/** What comes back; a failure where it is no whole answer in JSON, `undefined` where there is none. */
const listen = (asking: Effect.Effect<Reply, unknown>, isSilent: boolean) =>
  Effect.timeoutOrElse(Effect.result(asking), {
    duration: isSilent ? SILENCE : "1 minute",
    orElse: () => Effect.succeed(undefined)
  })

onChain("a mint server with a fault", (it) => {
  keepsQuiet()

  it.effect.each(stories)(
    "%s: answers %s, and the payment sent again brings all that is missing",
    ([kind, status, then]) =>
      Effect.gen(function* () {
        const { at, token, header, faults } = yield* openShop({ kind, times: 1 })
        const answer = yield* listen(post(at, order, header), status === "silent")
        assert.strictEqual(statusOf(answer), status)
        assert.deepStrictEqual(yield* account(token), then)
        assert.deepStrictEqual(faults.injected(), { [kind]: 1 })
        const again = yield* post(at, order, header)
        assert.strictEqual(again.status, 200)
        assert.deepStrictEqual(yield* account(token), ALL)
      })
  )

  it.effect("settles later, and says at once that it takes too long", () =>
    Effect.gen(function* () {
      const { at, token, header } = yield* openShop({ kind: "settle-late", times: 1, ms: 200 })
      assert.strictEqual((yield* post(at, order, header)).status, 408)
      assert.deepStrictEqual(yield* account(token), NOTHING)
      const isDone = ({ paid, minted }: typeof ALL) => paid === 3 && minted === 3
      yield* Effect.repeat(account(token), { schedule: Schedule.spaced("20 millis"), until: isDone })
    })
  )

  it.effect("answers a settled payment with a challenge, a receipt that is none, or nothing but a status", () =>
    Effect.gen(function* () {
      const challenged = yield* openShop({ kind: "answer-402" })
      const challenge = yield* post(challenged.at, order, challenged.header)
      assert.deepStrictEqual(challenge.challenge?.accepts, (yield* post(challenged.at, order)).challenge?.accepts)
      const pending = yield* openShop({ kind: "settlement-pending" })
      const { receipt } = yield* post(pending.at, order, pending.header)
      assert.deepInclude(receipt, { success: false, errorReason: "settlement_pending" })
      const late = yield* openShop({ kind: "answer-408" })
      assert.isUndefined((yield* post(late.at, order, late.header)).receipt)
    })
  )

  it.effect("mints before it is paid, and then is not", () =>
    Effect.gen(function* () {
      const { at, token, header } = yield* openShop({ kind: "mint-before-settlement", times: 1 })
      const { status, receipt } = yield* post(at, order, header)
      assert.deepStrictEqual([status, receipt?.errorReason], [402, "settlement_refused"])
      assert.deepStrictEqual(yield* account(token), { paid: 0, minted: 3 })
      // The payment is good still. It brings no second mints; nor does the server find the ones from before it.
      assert.strictEqual((yield* post(at, order, header)).status, 500)
      assert.deepStrictEqual(yield* account(token), ALL)
    })
  )

  it.effect("says that it minted what it did not", () =>
    Effect.gen(function* () {
      const { at, header } = yield* openShop({ kind: "mint-nothing", times: 1 })
      const { body, receipt } = yield* post(at, order, header)
      assert.deepStrictEqual(body, { success: true, quantity: 3 })
      assert.isTrue(receipt?.success)
    })
  )

  it.effect.each([
    ["price-higher", { amount: String(3n * PRICE + 1n) }],
    ["other-payee", { payTo: `0x${"ba".repeat(20)}` }],
    ["other-asset", { asset: `0x${"ba".repeat(20)}` }],
    ["other-chain", { network: "eip155:1" }]
  ] as const)("%s: offers something else", ([kind, entry]) =>
    Effect.gen(function* () {
      const { at, token, header, faults } = yield* openShop({ kind })
      assert.deepInclude((yield* post(at, order)).challenge?.accepts[0], entry)
      faults.set([])
      const usual = (yield* post(at, order)).challenge?.accepts[0]
      assert.notDeepInclude(usual, entry)
      assert.strictEqual((yield* post(at, order, header)).status, 200)
      assert.deepStrictEqual(yield* account(token), ALL)
    })
  )

  it.effect("can be in doubt and without mints at once: faults of different moments add up", () =>
    Effect.gen(function* () {
      const { at, token, header, faults } = yield* openShop(
        { kind: "answer-402", times: 1 },
        { kind: "answer-500", times: 1 },
        { kind: "mint-fails", times: 1 }
      )
      assert.strictEqual((yield* post(at, order, header)).status, 402)
      assert.deepStrictEqual(yield* account(token), { paid: 3, minted: 0 })
      assert.deepStrictEqual(faults.on(), [{ kind: "answer-500", times: 1 }], "of one moment the first comes first")
      assert.strictEqual((yield* post(at, order, header)).status, 500)
      assert.deepStrictEqual(yield* account(token), ALL)
    })
  )

  it.effect("does nothing to other tokens, and nothing to what is no order", () =>
    Effect.gen(function* () {
      const { at, header, faults } = yield* openShop({ kind: "outage", token: `0x${"01".repeat(20)}` })
      assert.strictEqual((yield* post(at, order, header)).status, 200)
      faults.set([{ kind: "outage" }])
      assert.strictEqual((yield* post(`${new URL(at).origin}/api/mint/none`, order)).status, 404)
      assert.deepStrictEqual(faults.injected(), {})
    })
  )
})
