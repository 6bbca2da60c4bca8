import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { globSync, readFileSync } from "node:fs"
import { baseSepolia } from "../../src/config/Network.ts"
import { address } from "../../src/domain/Address.ts"
import { chooseOffer } from "../../src/domain/Offer.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { readPaymentAnswer, readQuoteAnswer } from "../../src/mint/answer.ts"
import { paymentHeader } from "../../src/mint/challenge.ts"
import type { Reply } from "../../src/mint/reply.ts"
import { payment } from "./fixtures.ts"

/**
 * What real servers answered to this program, as `docs/servers.md` says: to a request without payment, to one with it,
 * and to the same where the facilitator refuses it, cannot settle it, or answers 500 with a page or with JSON.
 */
interface Recording {
  readonly server: string
  readonly version: string
  readonly answers: Readonly<Record<"challenge" | "fine" | "refuses" | "unsettled" | "down" | "downJson", Reply>>
}

const recordings = globSync(new URL("servers/*.json", import.meta.url).pathname).map(
  (file) => JSON.parse(readFileSync(file, "utf8")) as Recording
)
const payTo = address(`0x${"70".repeat(20)}`)
const terms = {
  chainId: baseSepolia.chainId,
  asset: baseSepolia.usdc.address,
  domain: baseSepolia.usdc,
  maxAmount: usdc(2_000_000n),
  payees: [payTo],
  quantity: 2
}

describe("servers of every generation were recorded", () => {
  it("and are here", () => {
    const names = recordings.map(({ server, version }) => `${server} ${version}`).toSorted()
    assert.deepStrictEqual(names, [
      "@x402/express 2.3.0",
      "mppx 0.11.0",
      "thirdweb 5.121.6",
      "x402-express 0.7.3",
      "x402-express 1.2.0"
    ])
  })
})

for (const { server, version, answers } of recordings) {
  describe(`a server of ${server} ${version}`, () => {
    it("has its offer read, chosen and wrapped in a payment", () => {
      const quote = Result.getOrThrow(readQuoteAnswer(answers.challenge))
      const { offer, amount } = Result.getOrThrow(chooseOffer(quote.offers, terms))
      assert.strictEqual(amount, usdc(2_000_000n))
      assert.isDefined(paymentHeader(quote, offer, payment))
    })

    it("takes that payment, and names its transaction and the mint", () => {
      assert.deepStrictEqual(readPaymentAnswer(answers.fine), {
        _tag: "Accepted",
        mintTxs: [`0x${"ab".repeat(32)}`],
        paymentTx: `0x${"fe".repeat(32)}`
      })
    })

    it("that says the wallet is short of money says so of the wallet", () => {
      const answer = readPaymentAnswer(answers.refuses)
      assert.deepInclude(answer, { _tag: "Unclear", whose: "wallet" })
      assert.include(JSON.stringify(answer), "insufficient_funds")
    })

    for (const trouble of ["unsettled", "down", "downJson"] as const)
      it(`whose facilitator is in trouble leaves open what became of the payment: ${trouble}`, () => {
        const answer = readPaymentAnswer(answers[trouble])
        assert.isTrue(answer._tag === "Unclear" && answer.whose === undefined, JSON.stringify(answer))
      })
  })
}
