import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type Message, askFacilitator } from "../../src/chain/facilitatorServer.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const TX = `0x${"ab".repeat(32)}`

const requirements: Message["requirements"] = {
  scheme: "exact",
  network: "eip155:8453",
  asset: "0x833589fCD6eDb6E08f4c7C32D4f71b54bDA02913",
  amount: "1",
  payTo: `0x${"11".repeat(20)}`,
  maxTimeoutSeconds: 60,
  extra: {}
}

const message: Message = {
  requirements,
  payload: { x402Version: 2, accepted: requirements, payload: { signature: "0x" } }
}

/** A facilitator that answers so, and the requests that it gets. */
const facilitator = Effect.fnUntraced(function* (answer: (response: ServerResponse, url: string) => void) {
  const requests: Array<{ readonly url: string; readonly body: string }> = []
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += chunk))
    request.on("end", () => {
      requests.push({ url: request.url ?? "", body })
      answer(response, request.url ?? "")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  const { port } = server.address() as AddressInfo
  return { requests, settle: askFacilitator(`http://127.0.0.1:${port}/x402`)(message) }
})

const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))

describe("the server of X402_FACILITATOR_URL", () => {
  test("gets payment and requirements, in the form of x402 v2", function* () {
    const { requests, settle } = yield* facilitator(json({ success: true, transaction: TX, network: "eip155:8453" }))
    assert.deepStrictEqual(yield* settle, { success: true, transaction: TX, network: "eip155:8453" })
    assert.deepStrictEqual(
      requests.map(({ url, body }) => ({ url, body: JSON.parse(body) })),
      [
        {
          url: "/x402/settle",
          body: { x402Version: 2, paymentPayload: message.payload, paymentRequirements: requirements }
        }
      ]
    )
  })

  test("is quoted with its reason, at any status", function* () {
    const no = { success: false, errorReason: "insufficient_funds", transaction: "", network: "eip155:8453" }
    for (const status of [200, 400]) {
      const { settle } = yield* facilitator(json(no, status))
      assert.deepInclude(yield* settle, { success: false, errorReason: "insufficient_funds" })
    }
  })

  test("sends nobody elsewhere, and what is no answer is none", function* () {
    const answers = [
      (response: ServerResponse) => void response.writeHead(307, { location: "/elsewhere" }).end(),
      (response: ServerResponse) => void response.writeHead(200).end("<html>"),
      json({ success: "yes" }),
      json({ success: true, transaction: "x".repeat(200_000) }),
      (response: ServerResponse) => void response.destroy()
    ]
    for (const answer of answers) {
      const { requests, settle } = yield* facilitator(answer)
      const words = yield* Effect.flip(settle)
      assert.isAtMost(words.length, 200)
      assert.strictEqual(requests.length, 1)
    }
  })
})
