import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { recoverTypedDataAddress } from "viem"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"

import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import * as KeyCustodyAes from "../../src/chain/KeyCustodyAes.ts"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { local } from "../../src/config/Network.ts"
import { Settings, type SettingsShape } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { layer as deskLayer, OrderDesk } from "../../src/sandbox/OrderDesk.ts"
import { anyId } from "../support/anyId.ts"
import * as Postgres from "../support/Postgres.ts"
import { migrate } from "../../src/ledger/migrate.ts"

const ENCRYPTION_KEY = Redacted.make("ab".repeat(32))
const TOKEN = address(`0x${"70".repeat(20)}`)
const PRICE = usdc(1_600_000n)
const NO_ONE = "00000000-0000-0000-0000-000000000000"

const settings = { network: local, agentEncryptionKey: ENCRYPTION_KEY } as SettingsShape

/** The desk and the executor's key custody, each with the same secret, over one database. */
const world = Layer.mergeAll(
  deskLayer({ encryptionKey: ENCRYPTION_KEY, sendUsdc: () => Effect.void }),
  KeyCustodyAes.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))
).pipe(Layer.provideMerge(Layer.effectDiscard(migrate)), Layer.provideMerge(Postgres.session()))

const someone = () => address(privateKeyToAddress(generatePrivateKey()))

const readWallet = Effect.fnUntraced(function* (id: string) {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<Record<string, string>>`SELECT * FROM ai_agent_wallets WHERE id = ${id}::uuid`
  return rows[0] ?? assert.fail(`no wallet ${id}`)
})

describe("the order desk", () => {
  layer(world)((it) => {
    it.effect("writes an order as another program does: the required columns, and the table's defaults", () =>
      Effect.gen(function* () {
        const desk = yield* OrderDesk
        const placed = yield* desk.placeOrder({ token: TOKEN, quantity: 5, pricePerMint: PRICE })
        const { created_at, updated_at, ...order } = yield* desk.readOrder(placed.taskId)
        assert.deepStrictEqual(order, {
          id: placed.taskId,
          user_address: placed.userAddress,
          agent_wallet_id: placed.walletId,
          agent_address: placed.agentAddress,
          token_address: TOKEN,
          quantity: 5,
          price_per_mint: 1_600_000n,
          total_cost: 8_000_000n,
          status: "pending_payment",
          mints_completed: 0,
          mints_failed: 0,
          retry_count: 0,
          funding_tx_hash: null,
          funding_received_at: null,
          started_at: null,
          completed_at: null,
          error_message: null
        })
        assert.strictEqual(placed.totalCost, 8_000_000n)
        assert.deepStrictEqual([created_at, updated_at], [placed.createdAt, placed.createdAt])
      })
    )

    it.effect("gives a person one wallet for all orders, also for two at once, and every new person another", () =>
      Effect.gen(function* () {
        const desk = yield* OrderDesk
        const order = { user: someone(), token: TOKEN, quantity: 1, pricePerMint: PRICE }
        const both = yield* Effect.all([desk.placeOrder(order), desk.placeOrder(order)], { concurrency: "unbounded" })
        const placed = [...both, yield* desk.placeOrder(order)]
        assert.strictEqual(new Set(placed.map(({ taskId }) => taskId)).size, 3)
        assert.strictEqual(new Set(placed.map(({ walletId }) => walletId)).size, 1)
        assert.strictEqual(new Set(placed.map(({ agentAddress }) => agentAddress)).size, 1)
        const { user: _, ...anonymous } = order
        const [a, b] = [yield* desk.placeOrder(anonymous), yield* desk.placeOrder(anonymous)]
        assert.strictEqual(new Set([a, b, ...both].map(({ userAddress }) => userAddress)).size, 3)
        assert.strictEqual(new Set([a, b, ...both].map(({ agentAddress }) => agentAddress)).size, 3)
      })
    )

    it.effect("finds the wallet that another program opened under the address with its checksum", () =>
      Effect.gen(function* () {
        const [desk, sql] = [yield* OrderDesk, yield* SqlClient.SqlClient]
        const user = privateKeyToAddress(generatePrivateKey())
        const wallet = { user_address: user, agent_address: someone(), encrypted_private_key: "theirs" }
        yield* sql`INSERT INTO ai_agent_wallets ${sql.insert(wallet)}`
        const placed = yield* desk.placeOrder({ user: address(user), token: TOKEN, quantity: 1, pricePerMint: PRICE })
        assert.strictEqual(placed.agentAddress, wallet.agent_address)
      })
    )

    it.effect("stores a key that the executor opens and signs with", () =>
      Effect.gen(function* () {
        const custody = yield* KeyCustody
        const desk = yield* OrderDesk
        const placed = yield* desk.placeOrder({ token: TOKEN, quantity: 1, pricePerMint: PRICE })
        const row = yield* readWallet(placed.walletId)
        assert.match(row["encrypted_private_key"] ?? "", /^[0-9a-f]{32}:[0-9a-f]{32}:[0-9a-f]{128}$/)
        const wallet = {
          id: placed.walletId,
          userAddress: placed.userAddress,
          agentAddress: placed.agentAddress,
          encryptedPrivateKey: Redacted.make(row["encrypted_private_key"] ?? "")
        }
        yield* custody.check(wallet)
        const payment = { from: wallet.agentAddress, to: TOKEN, value: PRICE, validAfter: 0, validBefore: 1 }
        const authorization = { ...payment, nonce: `0x${"11".repeat(32)}` as const }
        const signature = yield* custody.sign(wallet, authorization)
        const typedData = {
          domain: signingDomain(local),
          types: authorizationTypes,
          primaryType: "TransferWithAuthorization",
          message: { ...authorization, validAfter: 0n, validBefore: 1n }
        } as const
        const signer = yield* Effect.promise(() => recoverTypedDataAddress({ ...typedData, signature }))
        assert.strictEqual(address(signer), placed.agentAddress)
      })
    )

    it.effect("knows no order under another id, nor under a text that is no id", () =>
      Effect.gen(function* () {
        const desk = yield* OrderDesk
        for (const id of [NO_ONE, "'; drop table ai_agent_tasks"]) {
          assert.deepInclude(yield* Effect.flip(desk.readOrder(id)), { error: `there is no order ${id}` })
        }
        assert.deepStrictEqual(yield* desk.readMints(anyId(NO_ONE)), [])
      })
    )

    it.effect("reads the mints of an order in their order, with times from columns without a zone too", () =>
      Effect.gen(function* () {
        const [desk, sql] = [yield* OrderDesk, yield* SqlClient.SqlClient]
        const { taskId } = yield* desk.placeOrder({ token: TOKEN, quantity: 2, pricePerMint: PRICE })
        const at = new Date("2025-11-01T05:15:30Z")
        yield* Effect.forEach([2, 1], (n) => {
          const mint = { task_id: taskId, mint_number: n, status: "completed", tx_hash: "0x1", created_at: at }
          return sql`INSERT INTO ai_agent_mint_records ${sql.insert({ ...mint, completed_at: at })}`
        })
        const record = { status: "completed", tx_hash: "0x1", error_message: null, created_at: at, completed_at: at }
        const expected = [
          { mint_number: 1, ...record },
          { mint_number: 2, ...record }
        ]
        assert.deepStrictEqual(yield* desk.readMints(taskId), expected)
        yield* sql`ALTER TABLE ai_agent_mint_records ALTER created_at TYPE timestamp, ALTER completed_at TYPE timestamp`
        assert.deepStrictEqual(yield* desk.readMints(taskId), expected)
      })
    )

    it.effect("lists the newest fifty orders, newest first", () =>
      Effect.gen(function* () {
        const [desk, sql] = [yield* OrderDesk, yield* SqlClient.SqlClient]
        const order = { user: someone(), token: TOKEN, quantity: 1, pricePerMint: PRICE }
        const placed = yield* Effect.replicateEffect(desk.placeOrder(order), 52)
        yield* Effect.forEach(placed, ({ taskId }, second) => {
          const at = new Date(Date.UTC(2100, 0, 1, 0, 0, second))
          return sql`UPDATE ai_agent_tasks SET created_at = ${at} WHERE id = ${taskId}::uuid`
        })
        const newest = placed.map(({ taskId }) => taskId).slice(2)
        assert.deepStrictEqual(
          (yield* desk.latestOrders).map(({ id }) => id),
          newest.toReversed()
        )
      })
    )
  })
})
