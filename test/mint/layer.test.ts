import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layer } from "../../src/mint/layer.ts"
import { Minter } from "../../src/mint/Minter.ts"
import { order, settings } from "./fixtures.ts"
import { answers, scriptedServer } from "./scriptedServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

describe("the minter that the settings choose", () => {
  for (const [protocol, asked] of [
    ["x402", 1],
    ["v1", 0]
  ] as const)
    test(`speaks ${protocol} with MINT_PROTOCOL=${protocol}`, function* () {
      const server = yield* scriptedServer(answers(404))
      const minter = layer.pipe(Layer.provide(settings(server.url, protocol)))
      const takesAgain = yield* Effect.gen(function* () {
        const { quote, takesAgain } = yield* Minter
        yield* Effect.ignore(quote(order))
        return takesAgain
      }).pipe(Effect.provide(minter))
      assert.strictEqual(yield* server.served, asked)
      assert.strictEqual(takesAgain, protocol === "x402")
    })
})
