import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { vi } from "vitest"
import { address } from "../../src/domain/Address.ts"
import { roleKeys } from "../../src/sandbox/DevChain.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { type BaseSepolia, deployment, openBaseSepolia, pay as giveUsdc, TOKEN, USDC } from "./baseSepolia.ts"
import { closedPort, mintsTo, paymentsFrom, startExecutor, temporaryDirectory, TIMEOUT_MS } from "./support.ts"
import { pay, request, signed, untilCompleted, untilServed } from "./x402Client.ts"

vi.mock(import("../../src/config/Network.ts"), async (original) => {
  const networks = await original()
  return { ...networks, local: { ...networks.baseSepolia, blockSeconds: 1 } }
})

const OPS_TOKEN = "a-token-of-more-than-16-chars"

const startOne = Effect.fnUntraced(function* (
  world: BaseSepolia,
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {}
) {
  const port = yield* closedPort
  const executor = yield* startExecutor(yield* temporaryDirectory, {
    ...deployment(world, databaseUrl),
    OPS_TOKEN,
    OPS_PORT: String(port),
    AI_AGENT_PRIVATE_KEY: roleKeys.aiAgent,
    ...env
  })
  yield* executor.line("Monitoring for funded tasks...")
  const url = `http://127.0.0.1:${port}`
  yield* untilServed(url)
  return { ...executor, url, tell: () => executor.said.stdout + executor.said.stderr }
})

/** A facilitator that takes requests and never answers. */
const silentFacilitator = Effect.gen(function* () {
  const taken: Array<string> = []
  const server = createServer((asked) => void taken.push(asked.url ?? ""))
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  return { taken, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
})

/** The stand-in for Base Sepolia with a database, a person, and an agent with 20 USDC. */
const given = Effect.gen(function* () {
  const world = yield* openBaseSepolia
  const databaseUrl = yield* Postgres.freshDatabase()
  const agent = privateKeyToAccount(generatePrivateKey())
  const who = { agentAddress: address(agent.address) }
  yield* giveUsdc(world, who as never, 20)
  return { world, databaseUrl, agent }
})

describe("the official x402 client, with several executors", () => {
  it.live(
    "gets one order and equal answers of two that it asks at once, and of the next after one was killed before it paid",
    () =>
      Effect.gen(function* () {
        const { world, databaseUrl, agent } = yield* given
        const silent = yield* silentFacilitator
        const doomed = yield* startOne(world, databaseUrl, { X402_FACILITATOR_URL: silent.url })
        const ann = yield* Effect.provide(person("ann"), clientAt(databaseUrl))
        const at = ({ url }: { readonly url: string }) => ({
          url,
          token: TOKEN,
          user: ann.userAddress,
          agent,
          key: OPS_TOKEN
        })
        const payment = yield* signed(at(doomed), 2)
        yield* Effect.forkChild(Effect.ignoreCause(request(at(doomed), 2, payment.headers)))
        yield* doomed.line("is ordered")
        yield* doomed.kill("SIGKILL")
        yield* doomed.ended
        assert.deepStrictEqual(yield* paymentsFrom(world.chain, USDC, agent.address), [])

        const both = [yield* startOne(world, databaseUrl), yield* startOne(world, databaseUrl)] as const
        const receipts = yield* Effect.forEach(both, (one) => pay(at(one), 2, payment), { concurrency: "unbounded" })
        for (const { status, detail } of receipts)
          assert.strictEqual(status, 200, [detail, ...both.map(({ tell }) => tell())].join("\n"))
        assert.deepStrictEqual(receipts[0], receipts[1])

        const fresh = yield* signed(at(both[0]), 3)
        const more = yield* Effect.forEach(both, (one) => pay(at(one), 3, fresh), { concurrency: "unbounded" })
        for (const { status, detail } of more)
          assert.strictEqual(status, 200, [detail, ...both.map(({ tell }) => tell())].join("\n"))
        assert.deepStrictEqual(more[0], more[1])

        for (const { id } of [receipts[0], more[0]]) yield* untilCompleted(at(both[0]), id ?? "", both[0].tell)
        assert.sameMembers([...(yield* paymentsFrom(world.chain, USDC, agent.address))], [2_000_000n, 3_000_000n])
        assert.strictEqual(yield* mintsTo(world.chain, TOKEN, ann.userAddress), 5)
      }),
    TIMEOUT_MS
  )
})
