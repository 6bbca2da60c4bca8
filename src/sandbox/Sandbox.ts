import type { PgClient } from "@effect/sql-pg"
import { Context, type Duration, Effect, Layer, Redacted, Schema } from "effect"
import type { SqlClient } from "effect/sql"
import type { SqlError } from "effect/sql/SqlError"
import { randomBytes } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { local } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import { type Usdc, usdc } from "../domain/Usdc.ts"
import * as Anvil from "./Anvil.ts"
import * as Contracts from "./Contracts.ts"
import * as DevChain from "./DevChain.ts"
import * as Faults from "./faults.ts"
import type { ProcessDied } from "./GuardedProcess.ts"
import * as MintServer from "./MintServer.ts"
import * as OrderDesk from "./OrderDesk.ts"
import * as Pglite from "./Pglite.ts"
import * as RpcProxy from "./RpcProxy.ts"
import { lock, publish } from "./sandboxFile.ts"
import { sandboxRoutes } from "./sandboxRoutes.ts"

/** The local network cannot be set up. The message says why, and what to do. */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", { message: Schema.String }) {}

type Database = SqlClient.SqlClient | PgClient.PgClient

/** What is given here is the operator's own, and the sandbox does not bring it. */
export interface SandboxOptions<E = never, R = never> {
  /** Where the sandbox keeps its chain, its database and its key. One sandbox at a time. */
  readonly dataDir: string
  /** `PAYMENT_TIMEOUT` and `CHECK_INTERVAL` of the executor: the person who pays late goes by them. */
  readonly paymentTimeout: Duration.Duration
  readonly checkInterval: Duration.Duration
  /** Preferred ports: where they are taken the sandbox takes others, and says so in `moved`. */
  readonly ports?: Partial<Ports>
  /** A development chain of the operator. The sandbox's contracts are put on it where they are missing. */
  readonly rpcUrl?: string | undefined
  readonly serverUrl?: string | undefined
  readonly database?: { readonly url: Redacted.Redacted; readonly layer: Layer.Layer<Database, E, R> } | undefined
  readonly encryptionKey?: Redacted.Redacted | undefined
}

interface Ports {
  readonly chain: number
  readonly mintServer: number
}

/** The local network, and what the executor needs to know about it. */
export interface Sandbox {
  readonly rpcUrl: string
  /** The way to the chain on which faults can be switched on: for the executor alone. */
  readonly faultyRpcUrl: string
  readonly serverUrl: string
  /** Where `/sandbox/orders` is: the mint server's URL, where that is the sandbox's. */
  readonly controlUrl: string
  readonly encryptionKey: Redacted.Redacted
  readonly token: Address
  readonly pricePerMint: Usdc
  readonly chain: DevChain.DevChain
  readonly database: Context.Context<Database>
  readonly orderDesk: OrderDesk.OrderDesk["Service"]
  /** What listens on another port than preferred, as that was taken. */
  readonly moved: ReadonlyArray<{ readonly what: keyof Ports; readonly preferred: number; readonly port: number }>
  /** Fails when the sandbox's chain ends by itself; never ends otherwise. */
  readonly died: Effect.Effect<never, ProcessDied>
}

/** 8545: anvil's own. 4021: the default of `SERVER_URL`. */
const PORTS: Ports = { chain: 8545, mintServer: 4021 }

/** What the mint server sells, a mint for 1 USDC. */
const SOLD = { token: Contracts.TOKEN, pricePerMint: usdc(1_000_000n) }

/**
 * Opens the local network until the scope closes: chain, contracts, database, mint server and the person who orders.
 * The tables are the executor's to make; until then orders are refused.
 */
export const open = Effect.fn("Sandbox.open")(function* <E = never, R = never>(options: SandboxOptions<E, R>) {
  const { dataDir } = options
  const ports = { ...PORTS, ...options.ports }
  yield* lock(dataDir)
  // One after the other: a database that is being made keeps this thread for seconds, and a chain that is asked
  // meanwhile seems not to answer.
  const { chain, died } = yield* openChain(options, ports.chain)
  const database = yield* openDatabase(options)
  const key = options.encryptionKey ?? (yield* encryptionKey(dataDir))
  const desk = OrderDesk.layer({ encryptionKey: key, sendUsdc: (to, sum) => Contracts.payUsdc(chain, to, sum) })
  const orderDesk = Context.get(yield* Effect.provide(Layer.build(desk), database), OrderDesk.OrderDesk)
  // Only what the sandbox brings can fail on request: the executor reaches the operator's own servers directly.
  const faults = Faults.make([
    ...(options.serverUrl === undefined ? Faults.ofMintServer : []),
    ...(options.rpcUrl === undefined ? Faults.ofRpc : [])
  ])
  const { url: controlUrl } = yield* openServers(options, { chain, orderDesk, faults, port: ports.mintServer })
  const { rpcUrl } = chain
  const { url: faultyRpcUrl } = yield* RpcProxy.serve({ target: rpcUrl, faults })
  const { token, pricePerMint } = SOLD
  yield* publish(dataDir, {
    pid: process.pid,
    rpcUrl,
    // A chain that the operator names is asked directly.
    ...(options.rpcUrl === undefined ? { executorRpcUrl: faultyRpcUrl } : {}),
    serverUrl: controlUrl,
    usdc: local.usdc.address,
    token,
    databaseUrl: options.database?.url ?? "embedded"
  })
  const isOwn = { chain: options.rpcUrl === undefined, mintServer: options.serverUrl === undefined }
  const listening = { chain: new URL(rpcUrl).port, mintServer: new URL(controlUrl).port }
  const moved = (["chain", "mintServer"] as const)
    .map((what) => ({ what, preferred: ports[what], port: Number(listening[what]) }))
    .filter(({ what, preferred, port }) => isOwn[what] && port !== preferred)
  const found = { rpcUrl, faultyRpcUrl, serverUrl: options.serverUrl ?? controlUrl, controlUrl }
  const parts = { chain, database, orderDesk, moved, died }
  return { ...found, ...parts, token, pricePerMint, encryptionKey: key } satisfies Sandbox as Sandbox
})

/** The sandbox's own chain or the operator's, with the contracts on it. */
const openChain = Effect.fnUntraced(function* (
  { dataDir, rpcUrl, database }: SandboxOptions<unknown, unknown>,
  port: number
) {
  if (rpcUrl !== undefined) {
    const chain = DevChain.connect(rpcUrl)
    const chainId = yield* chain.ask("reach the chain of LOCAL_RPC_URL", (client) => client.getChainId())
    if (chainId !== local.chainId) return yield* otherChain(chainId)
    yield* Contracts.deploy(chain)
    return { chain, died: Effect.never }
  }
  const statePath = join(dataDir, CHAIN)
  const isOrphaned = database === undefined && existsSync(join(dataDir, DATABASE))
  if (isOrphaned && (yield* Anvil.lastRun(statePath)) === "lost") return yield* lostChain(dataDir)
  const { chain, died } = yield* Anvil.start({ port, statePath })
  yield* Contracts.deploy(chain)
  return { chain, died }
})

const CHAIN = "chain.json"

const DATABASE = "database"

const otherChain = (chainId: number) =>
  new SandboxError({
    message: `LOCAL_RPC_URL leads to chain ${chainId}. NETWORK=local is chain ${local.chainId}: start an anvil there.`
  })

/** What the database says was paid and minted would not be found on a new chain, and could be paid again. */
const lostChain = (dataDir: string) =>
  new SandboxError({
    message:
      `The sandbox in ${dataDir} was cut off before its chain could be written, and its database without the chain ` +
      "is worth nothing. Start anew with: npm run sandbox:reset"
  })

const openDatabase = <E, R>({ dataDir, database }: SandboxOptions<E, R>) => {
  const embedded = Pglite.layer({ dataDir: join(dataDir, DATABASE) })
  const layer: Layer.Layer<Database, E | SqlError, R> = database?.layer ?? embedded
  return Layer.build(layer)
}

interface Behind {
  readonly chain: DevChain.DevChain
  readonly orderDesk: OrderDesk.OrderDesk["Service"]
  readonly faults: Faults.Faults
  readonly port: number
}

/** The mint server and, on the same port, the person. Beside the operator's own mint server it sells nothing. */
const openServers = Effect.fnUntraced(function* (
  options: Omit<SandboxOptions, "database">,
  { chain, orderDesk, faults, port }: Behind
) {
  const sandbox = yield* sandboxRoutes({ ...options, ...SOLD, faults }).pipe(
    Effect.provideService(OrderDesk.OrderDesk, orderDesk)
  )
  const { token, pricePerMint } = SOLD
  return yield* MintServer.serve({
    rpcUrl: chain.rpcUrl,
    chainId: local.chainId,
    usdc: local.usdc,
    tokens: options.serverUrl === undefined ? [{ address: token, pricePerMint }] : [],
    gasKey: DevChain.roleKeys.mintServer,
    port,
    dataDir: join(options.dataDir, `mint-server-${yield* shortGenesis(chain)}`),
    faults,
    sandbox
  })
})

/** The mint server's records belong to one chain: on another they would be about other payments. */
const shortGenesis = (chain: DevChain.DevChain) =>
  chain
    .ask("read block 0", (client) => client.getBlock({ blockNumber: 0n }))
    .pipe(Effect.map(({ hash }) => hash.slice(2, 10)))

const KEY = "encryption-key"

/** For its owner only. */
const PRIVATE = 0o600

/**
 * The sandbox's `AGENT_ENCRYPTION_KEY`: made at the first start and kept, as the keys of agent wallets in a database
 * that is kept are encrypted with it. 32 random bytes as 64 hex digits.
 */
const encryptionKey = (dataDir: string): Effect.Effect<Redacted.Redacted> =>
  Effect.sync(() => {
    const path = join(dataDir, KEY)
    if (existsSync(path)) return Redacted.make(readFileSync(path, "utf8").trim())
    const key = randomBytes(32).toString("hex")
    writeFileSync(path, `${key}\n`, { mode: PRIVATE, flag: "wx" })
    return Redacted.make(key)
  })
