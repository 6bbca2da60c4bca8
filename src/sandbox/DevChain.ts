import { Effect, Schema, Semaphore } from "effect"
import {
  type Account,
  BaseError,
  concat,
  createTestClient,
  defineChain,
  getCreate2Address,
  type Hash,
  type Hex,
  http,
  keccak256,
  publicActions,
  toHex,
  type TransactionReceipt,
  walletActions
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { local } from "../config/Network.ts"
import { type Address, address } from "../domain/Address.ts"
import { NO_REDIRECT } from "../ops/fetch.ts"

/** The chain did not do what the sandbox asked of it. */
export class DevChainError extends Schema.TaggedError<DevChainError>()("DevChainError", {
  /** What was asked, in words: `deploy USDC`. */
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Cannot ${this.operation}: ${wordsOf(this.cause)}`
  }
}

const wordsOf = (cause: unknown): string => {
  if (cause instanceof BaseError) return cause.shortMessage
  return cause instanceof Error ? cause.message : "unknown"
}

/**
 * The keys of those who act on the sandbox's chain: the first four accounts of the mnemonic that every development
 * node knows (`test test … junk`, book.getfoundry.sh/anvil). They are public, and worth nothing anywhere else.
 */
export const roleKeys = {
  /** Deploys the contracts, and is Circle: mints USDC, may pause it and blacklist accounts. */
  treasury: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  /** The mint server: settles payments, and is the only one who may mint the tokens. */
  mintServer: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  /** The person (or their exchange) who pays for orders. */
  customer: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  /** The AI Agent Account, where the settings name none: pays the gas of refunds. */
  aiAgent: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
} as const

export const roles = {
  treasury: privateKeyToAccount(roleKeys.treasury),
  mintServer: privateKeyToAccount(roleKeys.mintServer),
  customer: privateKeyToAccount(roleKeys.customer)
} as const

/** At the same address on Base, Base Sepolia and here. Source: github.com/mds1/multicall3. */
export const MULTICALL3 = address("0xcA11bde05977b3631167028862bE2a173976CA11")

export interface Call {
  readonly to: Address
  readonly data: Hex
  /** Estimated where not given, and then a call that would revert fails before it is sent. */
  readonly gas?: bigint
}

/** Blocks come every second, so polling twenty times as often adds 50 ms at most to a wait. */
const POLLING_INTERVAL_MS = 50

/** A development chain answers at once, unless the machine is very busy. */
const ANSWER_TIMEOUT_MS = 30_000

/** A transaction that is in no block after this long will not be: blocks come every second. */
const RECEIPT_TIMEOUT_MS = 30_000

const createClient = (rpcUrl: string) =>
  createTestClient({
    mode: "anvil",
    chain: defineChain({
      id: local.chainId,
      name: "AI Mint sandbox",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [rpcUrl] } },
      contracts: { multicall3: { address: MULTICALL3 } }
    }),
    transport: http(rpcUrl, { fetchOptions: NO_REDIRECT, retryCount: 0, timeout: ANSWER_TIMEOUT_MS }),
    pollingInterval: POLLING_INTERVAL_MS,
    cacheTime: 0
  })
    .extend(publicActions)
    .extend(walletActions)

export type DevClient = ReturnType<typeof createClient>

/** A development chain, as those who act on it see it. Promises of viem become Effects here. */
export interface DevChain {
  readonly rpcUrl: string
  readonly client: DevClient
  /** Anything that viem can do; `operation` says in words what, for the message of a failure. */
  readonly ask: <A>(operation: string, question: (client: DevClient) => Promise<A>) => Effect.Effect<A, DevChainError>
  /** Hands a transaction to the node. Transactions of one account go one after another, so nonces never collide. */
  readonly send: (operation: string, from: Account, call: Call) => Effect.Effect<Hash, DevChainError>
  /** Waits until a transaction is in a block; one that reverted is a failure. */
  readonly receipt: (operation: string, hash: Hash) => Effect.Effect<TransactionReceipt, DevChainError>
  /** Makes blocks at once, beside those that come with time. They carry the clock's time, as blocks in time do. */
  readonly mine: (blocks: number) => Effect.Effect<void, DevChainError>
}

export const connect = (rpcUrl: string): DevChain => {
  const client = createClient(rpcUrl)
  const turns = new Map<Address, Semaphore.Semaphore>()
  const turnOf = (account: Account): Semaphore.Semaphore => {
    const key = account.address.toLowerCase() as Address
    const turn = turns.get(key) ?? Semaphore.makeUnsafe(1)
    turns.set(key, turn)
    return turn
  }

  const ask: DevChain["ask"] = (operation, question) =>
    Effect.tryPromise({
      try: () => question(client),
      catch: (cause) => new DevChainError({ operation, cause })
    })

  const send: DevChain["send"] = (operation, account, call) =>
    ask(operation, async () => {
      const nonce = await client.getTransactionCount({ address: account.address, blockTag: "pending" })
      return client.sendTransaction({ ...call, account, nonce })
    }).pipe(Semaphore.withPermits(turnOf(account), 1))

  const receipt: DevChain["receipt"] = (operation, hash) =>
    ask(operation, () => client.waitForTransactionReceipt({ hash, timeout: RECEIPT_TIMEOUT_MS })).pipe(
      Effect.filterOrFail(
        ({ status }) => status === "success",
        () => new DevChainError({ operation, cause: new Error(`transaction ${hash} reverted`) })
      )
    )

  const mine: DevChain["mine"] = (blocks) => ask(`mine ${blocks} blocks`, () => client.mine({ blocks, interval: 0 }))

  return { rpcUrl, client, ask, send, receipt, mine }
}

/**
 * Makes contracts whose addresses follow from their code alone (EIP-1014), on every chain and in any order. Part of
 * anvil's block 0. Source: github.com/Arachnid/deterministic-deployment-proxy.
 */
export const FACTORY = address("0x4e59b44847b379578588920cA78FbF26c0B4956C")

/** Keeps the sandbox's contracts apart from the same code deployed by others. */
const SALT = keccak256(toHex("ai-mint-executor/sandbox"))

/** A call of the factory that makes a contract. */
export interface Creation {
  readonly to: Address
  readonly data: Hex
}

/** `code` is the creation code followed by the constructor's arguments. */
export const creationOf = (code: Hex): Creation => ({ to: FACTORY, data: concat([SALT, code]) })

/** Where the contract is, or will be. The factory takes the first 32 bytes as salt, and the rest as code. */
export const addressOf = ({ data }: Creation): Address =>
  address(getCreate2Address({ from: FACTORY, salt: SALT, bytecode: `0x${data.slice(2 + 64)}` }))
