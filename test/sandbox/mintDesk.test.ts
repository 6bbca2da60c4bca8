import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import {
  Chain,
  keepsQuiet,
  minter,
  mintsOf,
  newPayer,
  newToken,
  onChain,
  openShop,
  order,
  post,
  PRICE,
  recipient,
  refusesToMint,
  serve,
  serveUntilStopped,
  sign,
  stranger,
  untilPending,
  usdcOf
} from "./mintFixtures.ts"
import { emptyDirectory } from "./commandFixtures.ts"

onChain("a mint server after a failure", (it) => {
  keepsQuiet()

  it.effect("makes up for a mint that failed when the payment comes again", () =>
    Effect.gen(function* () {
      const { at, token } = yield* openShop()
      const { header } = yield* sign(yield* newPayer(), (yield* post(at, order)).challenge)
      const allow = yield* refusesToMint(token)
      const failed = yield* post(at, order, header)
      assert.strictEqual(failed.status, 500)
      assert.match(String(failed.body["error"]), /^paid, but: Cannot mint: /)
      assert.isTrue(failed.receipt?.success)
      const stillFailing = yield* post(at, order, header)
      assert.deepStrictEqual(stillFailing, failed)
      yield* allow
      assert.lengthOf(yield* mintsOf(token), 0)
      const { status, body, receipt } = yield* post(at, order, header)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(receipt, failed.receipt)
      assert.lengthOf(body["mintTxHashes"] as Array<unknown>, 1)
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  it.effect("knows after a restart whom a payment that was not delivered is for", () =>
    Effect.gen(function* () {
      const token = yield* newToken()
      const dataDir = yield* emptyDirectory
      const before = yield* serveUntilStopped({ token, dataDir })
      const path = `/api/mint/${token}`
      const { header } = yield* sign(yield* newPayer(), (yield* post(before.url + path, order)).challenge)
      const allow = yield* refusesToMint(token)
      assert.strictEqual((yield* post(before.url + path, order, header)).status, 500)
      yield* before.stop
      yield* allow
      const { url } = yield* serve({ token, dataDir })
      assert.strictEqual((yield* post(url + path, { ...order, recipient: stranger }, header)).status, 409)
      assert.strictEqual((yield* post(url + path, order, header)).status, 200)
      assert.deepStrictEqual(
        (yield* mintsOf(token)).map(({ to }) => to),
        [recipient, recipient, recipient]
      )
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )

  it.effect("stops at once with a request under way, and delivers what that paid after a restart", () =>
    Effect.gen(function* () {
      const chain = yield* Chain
      const token = yield* newToken()
      const dataDir = yield* emptyDirectory
      const before = yield* serveUntilStopped({ token, dataDir })
      const path = `/api/mint/${token}`
      const { header } = yield* sign(yield* newPayer(), (yield* post(before.url + path, order)).challenge)
      yield* Effect.acquireRelease(
        chain.ask("stop making blocks", async (client) => {
          await client.setAutomine(false)
          await client.setIntervalMining({ interval: 0 })
        }),
        () => chain.ask("make blocks", (client) => client.setAutomine(true)).pipe(Effect.orDie)
      )
      const request = yield* Effect.forkChild(Effect.exit(post(before.url + path, order, header)))
      yield* untilPending(minter)
      yield* before.stop
      assert.isTrue((yield* Fiber.join(request))._tag === "Failure")
      yield* chain.mine(1)
      const { url } = yield* serve({ token, dataDir })
      yield* chain.ask("make blocks", (client) => client.setAutomine(true))
      assert.strictEqual((yield* post(url + path, order, header)).status, 200)
      assert.lengthOf(yield* mintsOf(token), 3)
      assert.strictEqual(yield* usdcOf(token), 3n * PRICE)
    })
  )
})
