import { assert, describe, it } from "@effect/vitest"
import { keccak256, numberToHex, toHex } from "viem"
import { fakeChain } from "./fakeChain.ts"
import { on } from "./fakeNodes.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const EIP_1967 = numberToHex(BigInt(keccak256(toHex("eip1967.proxy.implementation"))) - 1n, { size: 32 })
const ZEPPELIN = keccak256(toHex("org.zeppelinos.proxy.implementation"))

describe("the code behind USDC", () => {
  test("is found in the slot of Circle's proxy and in that of EIP-1967, in one request beside the head", function* () {
    const usdcCode = "0x2ce6311ddae708829bc0784c967b7d77d19fd779"
    for (const codeSlot of [ZEPPELIN, EIP_1967]) {
      const { answer, sent } = yield* on({ ...fakeChain(), usdcCode, codeSlot }, (client) => client.usdcCode)
      assert.strictEqual(answer, usdcCode)
      assert.deepStrictEqual(sent, ["eth_blockNumber", "eth_getStorageAt,eth_getStorageAt"])
    }
  })

  test("is none where USDC is no proxy", function* () {
    const { answer } = yield* on({ ...fakeChain(), codeSlot: "0x00" }, (client) => client.usdcCode)
    assert.strictEqual(answer, "none")
  })
})
