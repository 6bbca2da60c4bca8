import { assert, describe, it } from "@effect/vitest"
import { account, bytes32, fakeChain, transfer } from "./fakeChain.ts"
import { on } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

describe("readMined", () => {
  test("tells what succeeded from what was reverted, and leaves out what is in no block that counts", function* () {
    const chain = fakeChain()
    const [from, to] = [account(1), account(2)]
    for (const [tx, block] of [
      [1, 500n],
      [2, 501n],
      [3, 999n],
      [4, 1_000n]
    ] as const) {
      chain.logs.push(transfer({ from, to, value: 1n, block, tx }))
    }
    chain.reverted.add(bytes32(2))
    const { answer } = yield* on(chain, (client) => client.readMined([1, 2, 3, 4, 5, 1].map(bytes32)))
    assert.deepStrictEqual(
      [...answer],
      [
        [bytes32(1), "succeeded"],
        [bytes32(2), "reverted"],
        [bytes32(3), "succeeded"]
      ]
    )
  })
})
