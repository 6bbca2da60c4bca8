import { createCipheriv, randomBytes } from "node:crypto"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { type Address, address } from "../domain/Address.ts"
import { TaskId } from "../domain/Task.ts"
import { times, type Usdc } from "../domain/Usdc.ts"
import { WalletId } from "../domain/Wallet.ts"
import { MintRecord, NoDatabase, NotFound, NotPaid, Order } from "./SandboxApi.ts"

/** What a person asks an agent for. */
export interface OrderRequest {
  /** Who gets the tokens. Default: a new person. */
  readonly user?: Address
  readonly token: Address
  /** Mints; the executor carries out 1 to 1000 of them. */
  readonly quantity: number
  readonly pricePerMint: Usdc
}

export interface PlacedOrder {
  readonly taskId: TaskId
  readonly walletId: WalletId
  readonly userAddress: Address
  /** Where the person's USDC has to go. */
  readonly agentAddress: Address
  readonly totalCost: Usdc
  /** By the database's clock, from which the executor counts `PAYMENT_TIMEOUT`. */
  readonly createdAt: Date
}

/** The answer of a busy sandbox must stay small. */
const LATEST_MAX = 50

/**
 * Plays the platform's AI agent, which writes orders into the tables, and the person, who sends the USDC. It and the
 * executor know nothing of each other.
 */
export class OrderDesk extends Context.Service<
  OrderDesk,
  {
    /** Opens the person's agent wallet where they have none yet, and writes the order. Nothing is paid. */
    readonly placeOrder: (request: OrderRequest) => Effect.Effect<PlacedOrder, NoDatabase>
    /** Gives the agent wallet USDC on chain; returns when the sender says that it is done. Nothing is sent for 0. */
    readonly pay: (agentAddress: Address, amount: Usdc) => Effect.Effect<void, NotPaid>
    /** `NotFound` also for a text that is no id at all. */
    readonly readOrder: (id: string) => Effect.Effect<Order, NotFound | NoDatabase>
    /** The mints of an order so far, in their order. */
    readonly readMints: (id: TaskId) => Effect.Effect<ReadonlyArray<MintRecord>, NoDatabase>
    /** At most 50, the newest first. */
    readonly latestOrders: Effect.Effect<ReadonlyArray<Order>, NoDatabase>
  }
>()("ai-mint-executor/sandbox/OrderDesk") {}

export interface DeskOptions {
  /** Secret, 64 hex digits: the executor must have the same one as `AGENT_ENCRYPTION_KEY`. */
  readonly encryptionKey: Redacted.Redacted
  /** Gives an account USDC out of nothing; succeeds when the chain has it. */
  readonly sendUsdc: (to: Address, amount: Usdc) => Effect.Effect<unknown, { readonly message: string }>
}

/** Works on the tables of `migrate`, which must have run, or on those of a v1.1 database. */
export const layer = (options: DeskOptions): Layer.Layer<OrderDesk, never, SqlClient.SqlClient> =>
  Layer.effect(
    OrderDesk,
    Effect.map(SqlClient.SqlClient, (sql) => OrderDesk.of({ ...writes(sql, options), ...reads(sql) }))
  )

/** AES-256-GCM with the 16-byte IV that v1.1 uses; Node's tag is 16 bytes too. */
const IV_BYTES = 16

/**
 * A private key as `ai_agent_wallets.encrypted_private_key` stores it: `ivHex:authTagHex:cipherHex` over the 64 hex
 * digits without `0x`. Another IV, and so another text, at every call.
 */
export const encryptKey = (privateKey: `0x${string}`, encryptionKey: Redacted.Redacted): string => {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(Redacted.value(encryptionKey), "hex"), iv)
  const encrypted = Buffer.concat([cipher.update(privateKey.slice(2), "latin1"), cipher.final()])
  return [iv, cipher.getAuthTag(), encrypted].map((part) => part.toString("hex")).join(":")
}

const WalletRows = Schema.Array(Schema.Struct({ id: WalletId, agent_address: Schema.String }))
const PlacedRows = Schema.Tuple([Schema.Struct({ id: TaskId, created_at: Schema.Date })])

const writes = (sql: SqlClient.SqlClient, { encryptionKey, sendUsdc }: DeskOptions) => {
  const openWallet = Effect.fnUntraced(function* (user: Address) {
    // Any case: a wallet that another program opened may store the address with its checksum.
    const found = yield* rowsAs(
      WalletRows,
      sql`SELECT id, agent_address FROM ai_agent_wallets WHERE lower(user_address) = ${user}`
    )
    if (found[0] !== undefined) return found[0]
    const privateKey = generatePrivateKey()
    const wallet = {
      user_address: user,
      agent_address: address(privateKeyToAddress(privateKey)),
      encrypted_private_key: encryptKey(privateKey, encryptionKey)
    }
    // Two first orders of one person at once: the second gets the wallet of the first.
    const opened = yield* rowsAs(
      WalletRows,
      sql`INSERT INTO ai_agent_wallets ${sql.insert(wallet)}
        ON CONFLICT (user_address) DO UPDATE SET user_address = excluded.user_address
        RETURNING id, agent_address`
    )
    return yield* Effect.fromNullishOr(opened[0]).pipe(Effect.orDie)
  })

  const placeOrder: OrderDesk["Service"]["placeOrder"] = Effect.fn("OrderDesk.placeOrder")(
    function* (request) {
      const userAddress = request.user ?? address(privateKeyToAddress(generatePrivateKey()))
      const totalCost = times(request.pricePerMint, request.quantity)
      const wallet = yield* openWallet(userAddress)
      const order = {
        user_address: userAddress,
        agent_wallet_id: wallet.id,
        token_address: request.token,
        quantity: request.quantity,
        price_per_mint: request.pricePerMint,
        total_cost: totalCost
      }
      const [placed] = yield* rowsAs(
        PlacedRows,
        sql`INSERT INTO ai_agent_tasks ${sql.insert(order)} RETURNING id, created_at::timestamptz AS created_at`
      )
      return {
        taskId: placed.id,
        walletId: wallet.id,
        userAddress,
        agentAddress: address(wallet.agent_address),
        totalCost,
        createdAt: placed.created_at
      }
    },
    Effect.mapError(databaseError("the order was not placed"))
  )

  const pay: OrderDesk["Service"]["pay"] = Effect.fn("OrderDesk.pay")(function* (agentAddress, amount) {
    if (amount === 0n) return
    yield* Effect.mapError(sendUsdc(agentAddress, amount), ({ message }) => new NotPaid({ error: message }))
  })

  return { placeOrder, pay }
}

const reads = (sql: SqlClient.SqlClient) => {
  // A v1.1 database has columns without a time zone, which hold the wall time of the session that a cast assumes.
  const columns = sql`
    t.id, t.user_address, t.agent_wallet_id, w.agent_address, t.token_address, t.quantity, t.price_per_mint,
    t.total_cost, t.status, coalesce(t.mints_completed, 0) AS mints_completed,
    coalesce(t.mints_failed, 0) AS mints_failed, coalesce(t.retry_count, 0) AS retry_count, t.funding_tx_hash,
    t.funding_received_at::timestamptz AS funding_received_at, t.started_at::timestamptz AS started_at,
    t.completed_at::timestamptz AS completed_at, t.error_message, t.created_at::timestamptz AS created_at,
    t.updated_at::timestamptz AS updated_at
    FROM ai_agent_tasks t LEFT JOIN ai_agent_wallets w ON w.id = t.agent_wallet_id`

  const readOrder: OrderDesk["Service"]["readOrder"] = Effect.fn("OrderDesk.readOrder")(function* (id) {
    const [order] = yield* rowsAs(
      Schema.Array(Order),
      // Compared as texts: what is no UUID is an order that does not exist, and not an error of the database.
      sql`SELECT ${columns} WHERE t.id::text = ${id.toLowerCase()}`
    ).pipe(Effect.mapError(databaseError("the order was not read")))
    return order ?? (yield* Effect.fail(new NotFound({ error: `there is no order ${id}` })))
  })

  const readMints: OrderDesk["Service"]["readMints"] = Effect.fn("OrderDesk.readMints")(
    function* (id) {
      return yield* rowsAs(
        Schema.Array(MintRecord),
        sql`SELECT mint_number, status, tx_hash, error_message, created_at::timestamptz AS created_at,
          completed_at::timestamptz AS completed_at
        FROM ai_agent_mint_records WHERE task_id::text = ${id.toLowerCase()} ORDER BY mint_number`
      )
    },
    Effect.mapError(databaseError("the mints were not read"))
  )

  const latestOrders: OrderDesk["Service"]["latestOrders"] = rowsAs(
    Schema.Array(Order),
    sql`SELECT ${columns} ORDER BY t.created_at DESC, t.id LIMIT ${LATEST_MAX}`
  ).pipe(Effect.mapError(databaseError("the orders were not read")), Effect.withSpan("OrderDesk.latestOrders"))

  return { readOrder, readMints, latestOrders }
}

const rowsAs = <S extends Schema.ConstraintDecoder<unknown>>(schema: S, query: Effect.Effect<unknown, SqlError>) =>
  Effect.flatMap(query, Schema.decodeUnknownEffect(schema))

/** What the server says lies two causes deep; SqlError's own words only say that a query failed. */
const databaseError =
  (what: string) =>
  (cause: SqlError | Schema.SchemaError): NoDatabase => {
    const said = isSqlError(cause) ? cause.reason.cause : cause
    const detail = said instanceof Error ? said.message : String(said)
    return new NoDatabase({ error: `${what}: ${detail}` })
  }
