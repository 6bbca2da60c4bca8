import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { encodeFunctionData, type Hex, keccak256, maxUint256, toHex } from "viem"
import { baseSepolia } from "../../src/config/Network.ts"
import * as Anvil from "../../src/sandbox/Anvil.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { type DevChain, roleKeys, roles } from "../../src/sandbox/DevChain.ts"
import * as MintServer from "../../src/sandbox/MintServer.ts"
import { setUpUsdc, USDC as SANDBOX_USDC, usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import type { Address } from "../../src/domain/Address.ts"
import { TaskId } from "../../src/domain/Task.ts"
import type { Faults } from "../../src/sandbox/faults.ts"
import type { Person } from "../support/orders.ts"
import { ENCRYPTION_KEY } from "../support/settings.ts"
import { temporaryDirectory } from "./support.ts"

/** Circle's address on Base Sepolia, where the executor signs for and nowhere else. */
export const USDC = baseSepolia.usdc.address

export const TOKEN = Contracts.TOKEN

/** One USDC a mint, in base units. */
export const PRICE = 1_000_000n

/** A stand-in for Base Sepolia: its chain id, Circle's USDC at Circle's address, and a mint server. */
export interface BaseSepolia {
  readonly chain: DevChain
  readonly serverUrl: string
  /** Further tokens that the mint server sells. */
  readonly tokens: ReadonlyArray<Address>
}

interface Extras {
  /** How many further tokens there are. */
  readonly tokens?: number
  /** What goes wrong with the mint server. */
  readonly faults?: Faults
}

/**
 * Opens it with the sandbox's own tools, for a test file in which `local` is mocked to be Base Sepolia with a block
 * every second. The executors under test are processes of their own, and know the real settings only.
 */
export const openBaseSepoliaWith = Effect.fnUntraced(function* ({ tokens: count = 0, faults }: Extras) {
  const { chain } = yield* Anvil.start({ port: 0 })
  yield* Contracts.deploy(chain)
  yield* putUsdcInPlace(chain)
  const terms = Array.from({ length: count }, (_, index) => ({ name: "Test", symbol: `TEST${index}` }))
  const tokens = yield* Contracts.deployTokens(chain, terms)
  const { url } = yield* MintServer.serve({
    rpcUrl: chain.rpcUrl,
    chainId: baseSepolia.chainId,
    usdc: baseSepolia.usdc,
    tokens: [TOKEN, ...tokens].map((address) => ({ address, pricePerMint: PRICE })),
    gasKey: roleKeys.mintServer,
    port: 0,
    dataDir: yield* temporaryDirectory,
    ...(faults && { faults })
  })
  return { chain, serverUrl: url, tokens } satisfies BaseSepolia as BaseSepolia
})

export const openBaseSepolia = openBaseSepoliaWith({})

/** Where Circle's proxy keeps its implementation and its admin. Source: circlefin/stablecoin-evm, `contracts/upgradeability`. */
const SLOTS = ["implementation", "admin"].map((name) => keccak256(toHex(`org.zeppelinos.proxy.${name}`)))

/** The sandbox's proxy once more, at Circle's address: the same code before the same implementation, set up anew. */
const putUsdcInPlace = Effect.fnUntraced(function* (chain: DevChain) {
  yield* chain.ask("copy the proxy of USDC", async (client) => {
    const bytecode = await client.getCode({ address: SANDBOX_USDC })
    await client.setCode({ address: USDC, bytecode: bytecode ?? "0x" })
    for (const slot of SLOTS) {
      const value = await client.getStorageAt({ address: SANDBOX_USDC, slot })
      await client.setStorageAt({ address: USDC, index: slot, value: value ?? "0x" })
    }
  })
  const setUp = setUpUsdc().filter(({ to }) => to === SANDBOX_USDC)
  const permit = encodeFunctionData({
    abi: usdcAbi,
    functionName: "configureMinter",
    args: [roles.treasury.address, maxUint256]
  })
  for (const data of [...setUp.map((call) => call.data), permit]) yield* asCircle(chain, data)
})

/** Gives many people what each needs, in the next blocks of the chain's own. */
export const payAll = Effect.fnUntraced(function* (
  { chain }: BaseSepolia,
  dues: ReadonlyArray<{ readonly who: Person; readonly mints: number }>
) {
  const hashes = yield* Effect.forEach(dues, ({ who, mints }) => {
    const data = mintCall(who, mints)
    return chain.send("act as Circle", roles.treasury, { to: USDC, data, gas: 100_000n })
  })
  yield* Effect.forEach(hashes, (hash) => chain.receipt("act as Circle", hash), { concurrency: "unbounded" })
})

const mintCall = ({ agentAddress }: Person, mints: number): Hex =>
  encodeFunctionData({ abi: usdcAbi, functionName: "mint", args: [agentAddress, PRICE * BigInt(mints)] })

const asCircle = Effect.fnUntraced(function* (chain: DevChain, data: Hex) {
  const hash = yield* chain.send("act as Circle", roles.treasury, { to: USDC, data, gas: 1_000_000n })
  yield* chain.mine(1)
  yield* chain.receipt("act as Circle", hash)
})

/** Gives the person's agent wallet the USDC for so many mints. */
export const pay = ({ chain }: BaseSepolia, who: Person, mints: number) => asCircle(chain, mintCall(who, mints))

/** What the wallet holds. */
export const balanceOf = ({ chain }: BaseSepolia, { agentAddress }: Person) =>
  chain.ask("read a balance", (client) =>
    client.readContract({ address: USDC, abi: usdcAbi, functionName: "balanceOf", args: [agentAddress] })
  )

/** Where an operator would have set these things up, and at a quicker pace. */
export const deployment = (
  { chain, serverUrl }: BaseSepolia,
  databaseUrl: string
): Readonly<Record<string, string>> => ({
  NODE_ENV: "production",
  NETWORK: "base-sepolia",
  DATABASE_URL: databaseUrl,
  BASE_SEPOLIA_RPC_URL: chain.rpcUrl,
  SERVER_URL: serverUrl,
  AGENT_ENCRYPTION_KEY: ENCRYPTION_KEY,
  CHECK_INTERVAL: "500ms",
  MINT_INTERVAL: "500ms"
})

/** An order as the platform's server writes it: with the columns that have no default, and none besides. */
export const placeOrder = Effect.fnUntraced(function* (
  { walletId, userAddress }: Person,
  quantity: number,
  token = TOKEN
) {
  const sql = yield* SqlClient.SqlClient
  const order = {
    user_address: userAddress,
    agent_wallet_id: walletId,
    token_address: token,
    quantity,
    price_per_mint: PRICE,
    total_cost: PRICE * BigInt(quantity)
  }
  const [row] = yield* sql<{ readonly id: string }>`INSERT INTO ai_agent_tasks ${sql.insert(order)} RETURNING id`
  return TaskId.make(row?.id ?? "")
})
