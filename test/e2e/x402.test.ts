import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { erc20Abi } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { address } from "../../src/domain/Address.ts"
import { askSandbox } from "../../src/sandbox/askSandbox.ts"
import * as DevChain from "../../src/sandbox/DevChain.ts"
import { findSandbox } from "../../src/sandbox/sandboxFile.ts"
import { closedPort, mintsTo, paymentsFrom, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"
import { pay, request, signed, untilCompleted, untilServed } from "./x402Client.ts"

/** A local network, a person with an agent wallet on it, and the account of an agent with 100 USDC and no ETH. */
const network = Effect.gen(function* () {
  const cwd = yield* temporaryDirectory
  const port = yield* closedPort
  const executor = yield* startExecutor(cwd, {
    CHECK_INTERVAL: "500ms",
    MINT_INTERVAL: "500ms",
    OPS_PORT: String(port)
  })
  yield* executor.line("Monitoring for funded tasks...")
  const url = `http://127.0.0.1:${port}`
  yield* untilServed(url)
  const dataDir = join(cwd, ".data")
  const { rpcUrl, token, usdc } = yield* findSandbox(dataDir)
  const chain = DevChain.connect(rpcUrl)
  const user = address(privateKeyToAccount(generatePrivateKey()).address)
  yield* askSandbox({ dataDir }, ({ orders }) => orders.place({ payload: { user, quantity: 7, pay: "never" } }))
  const agent = privateKeyToAccount(generatePrivateKey())
  const hash = yield* chain.ask("give the agent USDC", (client) =>
    client.writeContract({
      account: DevChain.roles.customer,
      address: usdc,
      abi: erc20Abi,
      functionName: "transfer",
      args: [agent.address, 100_000_000n]
    })
  )
  yield* chain.receipt("give the agent USDC", hash)
  return { tell: () => executor.said.stdout, url, chain, token, usdc, user, agent }
})

const ONES = Array.from({ length: 10 }, () => 1)

describe("the official x402 client, on the local network", () => {
  it.live(
    "pays for an order in one exchange, to the tokens in the person's wallet, and for ten at once",
    () =>
      Effect.gen(function* () {
        const on = yield* network
        const payment = yield* signed(on, 3)
        const first = yield* pay(on, 3, payment)
        assert.strictEqual(first.status, 200, on.tell())
        assert.deepInclude(first.settled, { success: true, payer: on.agent.address.toLowerCase() })
        yield* untilCompleted(on, first.id, on.tell)
        assert.strictEqual(yield* mintsTo(on.chain, on.token, on.user), 3)
        assert.strictEqual(yield* mintsTo(on.chain, on.token, on.agent.address), 0)

        assert.deepStrictEqual(yield* pay(on, 3, payment), first, "the same request pays nothing")
        assert.strictEqual((yield* request(on, 2, payment.headers)).status, 409)
        assert.deepStrictEqual(yield* paymentsFrom(on.chain, on.usdc, on.agent.address), [3_000_000n])

        const payments = yield* Effect.forEach(ONES, (quantity) => signed(on, quantity))
        const receipts = yield* Effect.forEach(payments, (one) => pay(on, 1, one), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          receipts.map(({ status }) => status),
          receipts.map(() => 200)
        )
        for (const { id } of receipts) yield* untilCompleted(on, id, on.tell)
        assert.strictEqual(yield* mintsTo(on.chain, on.token, on.user), 13)
        assert.lengthOf(yield* paymentsFrom(on.chain, on.usdc, on.agent.address), 11)
      }),
    TIMEOUT_MS
  )
})
