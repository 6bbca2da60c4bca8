import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Address, address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { askSandbox } from "../../src/sandbox/askSandbox.ts"
import * as Anvil from "../../src/sandbox/Anvil.ts"
import type { DevChain } from "../../src/sandbox/DevChain.ts"
import { listen, silence } from "../../src/sandbox/listen.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { USDC, usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { freshDatabase } from "../support/Postgres.ts"
import { emptyDirectory } from "./commandFixtures.ts"

type Options = Sandbox.SandboxOptions<unknown>

/** On ports of its own: a sandbox of the person who runs the tests may be on the usual ones. */
const open = (dataDir: string, given: Partial<Options> = {}) =>
  Sandbox.open<unknown>({
    dataDir,
    paymentTimeout: Duration.minutes(10),
    checkInterval: Duration.seconds(10),
    ports: { chain: 0, mintServer: 0 },
    ...given
  })

/** The operator's own database: there at once, where the embedded one takes seconds to be made. */
const operatorsDatabase = Effect.map(freshDatabase(), (text) => {
  const url = Redacted.make(text)
  return { url, layer: PgClient.layer({ url }) }
})

const genesisOf = (chain: DevChain) =>
  chain.ask("read block 0", async (client) => (await client.getBlock({ blockNumber: 0n })).hash)

const usdcOf = (chain: DevChain, account: Address) =>
  chain.ask("read a balance", (client) =>
    client.readContract({ address: USDC, abi: usdcAbi, functionName: "balanceOf", args: [account] })
  )

const post = (url: string, body: unknown, method = "POST") =>
  Effect.promise(async () => {
    const init = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
    const response = await fetch(url, init)
    return { status: response.status, text: await response.text() }
  })

/** The executor makes the tables. */
const prepare = ({ database }: Sandbox.Sandbox) => Effect.provide(migrate, database)

describe("the sandbox", () => {
  it.live(
    "brings all of the local network, and has it again the next time",
    () =>
      Effect.gen(function* () {
        const dataDir = yield* emptyDirectory
        const first = yield* Effect.scoped(
          Effect.gen(function* () {
            const sandbox = yield* open(dataDir)
            yield* prepare(sandbox)
            const { answer: order } = yield* askSandbox({ dataDir }, ({ orders }) =>
              orders.place({ payload: { quantity: 2, pay: "now" } })
            )
            assert.strictEqual(yield* usdcOf(sandbox.chain, address(order.agentAddress)), 2_000_000n)
            const { encryptionKey } = sandbox
            return { order, encryptionKey: Redacted.value(encryptionKey), genesis: yield* genesisOf(sandbox.chain) }
          })
        )
        const again = yield* open(dataDir)
        assert.strictEqual(Redacted.value(again.encryptionKey), first.encryptionKey)
        assert.strictEqual(yield* genesisOf(again.chain), first.genesis)
        const sql = Context.get(again.database, SqlClient.SqlClient)
        assert.deepStrictEqual(yield* sql`SELECT id FROM ai_agent_tasks`, [{ id: first.order.taskId }])
        assert.strictEqual(yield* usdcOf(again.chain, address(first.order.agentAddress)), 2_000_000n)
      }),
    // An embedded database is made here, which takes 2 s, and ten times that on a machine that is busy with other tests.
    60_000
  )

  it.live("is alone on its folder", () =>
    Effect.gen(function* () {
      const dataDir = yield* emptyDirectory
      const database = yield* operatorsDatabase
      yield* open(dataDir, { database })
      assert.propertyVal(yield* Effect.flip(open(dataDir, { database })), "reason", "Locked")
    })
  )

  it.live("takes other ports where its own are taken, and says so", () =>
    Effect.gen(function* () {
      const chain = yield* takenPort
      const mintServer = yield* takenPort
      const database = yield* operatorsDatabase
      const sandbox = yield* open(yield* emptyDirectory, { database, ports: { chain, mintServer } })
      const [movedChain, movedServer] = sandbox.moved
      assert.deepStrictEqual([movedChain?.what, movedChain?.preferred], ["chain", chain])
      assert.deepStrictEqual([movedServer?.what, movedServer?.preferred], ["mintServer", mintServer])
      assert.strictEqual(sandbox.rpcUrl, `http://127.0.0.1:${movedChain?.port}`)
      assert.strictEqual(sandbox.serverUrl, `http://127.0.0.1:${movedServer?.port}`)
    })
  )

  it.live("brings nothing that the operator has, but its contracts onto the operator's chain", () =>
    Effect.gen(function* () {
      const { chain } = yield* Anvil.start({ port: 0 })
      const database = yield* operatorsDatabase
      const encryptionKey = Redacted.make("ab".repeat(32))
      const given = { rpcUrl: chain.rpcUrl, serverUrl: "http://127.0.0.1:9", encryptionKey, database }
      const sandbox = yield* open(yield* emptyDirectory, given)
      yield* prepare(sandbox)
      assert.deepStrictEqual([sandbox.rpcUrl, sandbox.serverUrl], [given.rpcUrl, given.serverUrl])
      assert.strictEqual(sandbox.encryptionKey, encryptionKey)
      const order = { token: sandbox.token, quantity: 3, pricePerMint: usdc(5n) }
      const { agentAddress, totalCost } = yield* sandbox.orderDesk.placeOrder(order)
      yield* sandbox.orderDesk.pay(agentAddress, totalCost)
      assert.strictEqual(yield* usdcOf(chain, agentAddress), 15n)
      const mint = { recipient: agentAddress, quantity: 1 }
      const { status } = yield* post(`${sandbox.controlUrl}/api/mint/${sandbox.token}`, mint)
      assert.strictEqual(status, 404, "sells nothing beside the operator's mint server")
      const faults = [{ kind: "rpc-lag" }]
      const refused = yield* post(`${sandbox.controlUrl}/sandbox/faults`, { faults }, "PUT")
      assert.strictEqual(refused.status, 400, "nothing of it comes by here")
    })
  )

  it.live("does wrong with its mint server and with the executor's way to the chain, on request", () =>
    Effect.gen(function* () {
      const database = yield* operatorsDatabase
      const { controlUrl, serverUrl, token, rpcUrl, faultyRpcUrl } = yield* open(yield* emptyDirectory, { database })
      const faults = [{ kind: "outage" }, { kind: "rpc-429" }]
      assert.strictEqual((yield* post(`${controlUrl}/sandbox/faults`, { faults }, "PUT")).status, 200)
      const mint = { recipient: token, quantity: 1 }
      assert.strictEqual((yield* post(`${serverUrl}/api/mint/${token}`, mint)).status, 503)
      const question = { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }
      assert.strictEqual((yield* post(faultyRpcUrl, question)).status, 429)
      assert.strictEqual((yield* post(rpcUrl, question)).status, 200, "everybody else's way is as ever")
    })
  )

  it.live("refuses a database without the chain that it belongs to", () =>
    Effect.gen(function* () {
      const dataDir = yield* emptyDirectory
      mkdirSync(join(dataDir, "database"))
      // What a chain leaves that was cut off before it was written.
      writeFileSync(join(dataDir, "chain.json.genesis"), "1")
      assert.instanceOf(yield* Effect.flip(open(dataDir)), Sandbox.SandboxError)
    })
  )

  it.live("refuses a chain that is not the local network's", () =>
    Effect.gen(function* () {
      const { chain } = yield* Anvil.start({ port: 0 })
      yield* post(chain.rpcUrl, { jsonrpc: "2.0", id: 1, method: "anvil_setChainId", params: [1] })
      const database = yield* operatorsDatabase
      const refused = yield* Effect.flip(open(yield* emptyDirectory, { rpcUrl: chain.rpcUrl, database }))
      assert.instanceOf(refused, Sandbox.SandboxError)
    })
  )
})

const takenPort = Effect.map(listen(silence), (url) => Number(new URL(url).port))
