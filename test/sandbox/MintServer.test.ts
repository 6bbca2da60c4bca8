import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Chain, newDataDir, newPayer, newToken, post, PRICE, read, recipient, serve, sign } from "./mintFixtures.ts"

layer(Chain.layer, { timeout: "30 seconds", excludeTestServices: true })("MintServer", (it) => {
  it.effect("x", () => Effect.gen(function* () {
    const token = yield* newToken()
    const dataDir = yield* newDataDir
    const { url } = yield* serve({ token, dataDir })
    const payer = yield* newPayer()
    const at = `${url}/api/mint/${token}`
    const t0 = performance.now()
    const first = yield* post(at, { recipient, quantity: 3 })
    console.log(JSON.stringify(first, null, 1))
    const s = yield* sign(payer, first.challenge)
    const t1 = performance.now()
    const paid = yield* post(at, { recipient, quantity: 3 }, s.header)
    console.log(JSON.stringify(paid, null, 1), performance.now() - t1, t1 - t0)
    const t2 = performance.now()
    const again = yield* post(at, { recipient, quantity: 3 }, s.header)
    console.log(JSON.stringify(again, null, 1), performance.now() - t2)
    console.log(yield* read.mintsOf(token), yield* read.usdcOf(token))
  }))
})
