import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { encodeFunctionData, parseAbi } from "viem"
import { local } from "../../src/config/Network.ts"
import { examineChain } from "../../src/checks/chain.ts"
import { roleKeys, roles } from "../../src/sandbox/DevChain.ts"
import { act, Chain, USDC } from "../chain/anvilChain.ts"
import { about, sound, troubles } from "./given.ts"

/** Source: `Pausable` of github.com/circlefin/stablecoin-evm. */
const pausable = parseAbi(["function pause()", "function unpause()"])

const look = Effect.gen(function* () {
  const { rpcUrl } = yield* Chain
  return yield* examineChain({
    ...sound,
    network: local,
    rpcUrls: [Redacted.make(rpcUrl)],
    aiAgentPrivateKey: Redacted.make(roleKeys.aiAgent)
  })
})

layer(Layer.fresh(Chain.layer), { timeout: "30 seconds", excludeTestServices: true })(
  "the doctor on a real chain with Circle's USDC",
  (it) => {
    it.effect("finds nothing to repair, and a pause as soon as Circle orders one", () =>
      Effect.gen(function* () {
        const { mine } = yield* Chain
        yield* mine(1)
        assert.deepStrictEqual(troubles((yield* look).findings), [])
        yield* act(roles.treasury, USDC, encodeFunctionData({ abi: pausable, functionName: "pause" }))
        const { findings } = yield* look
        assert.deepStrictEqual(troubles(findings), [["USDC paused", "fail"]])
        yield* act(roles.treasury, USDC, encodeFunctionData({ abi: pausable, functionName: "unpause" }))
        assert.strictEqual(about((yield* look).findings, "USDC paused"), "")
      })
    )
  }
)
