import { assert, layer } from "@effect/vitest"
import { decodePaymentRequiredHeader, decodePaymentResponseHeader, encodePaymentSignatureHeader } from "@x402/core/http"
import type { PaymentRequired } from "@x402/core/types"
import { Context, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { type Hex, keccak256, toHex } from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, vi } from "vitest"
import { authorizationTypes, signingDomain } from "../../src/chain/usdc.ts"
import { local } from "../../src/config/Network.ts"
import { address, type Address, type Bytes32 } from "../../src/domain/Address.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import * as Anvil from "../../src/sandbox/Anvil.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { type DevChain, roleKeys, roles } from "../../src/sandbox/DevChain.ts"
import * as MintServer from "../../src/sandbox/MintServer.ts"
import { mintTokenAbi } from "../../src/sandbox/mintToken.ts"
import { usdcAbi } from "../../src/sandbox/usdcDeployment.ts"
import { emptyDirectory } from "./commandFixtures.ts"

/** Base units: one USDC. */
export const PRICE = 1_000_000n

/** A real chain with the sandbox's contracts. It makes a block for every transaction: nothing waits for a second to pass. */
export class Chain extends Context.Service<Chain, DevChain>()("test/sandbox/Chain") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const { chain } = yield* Anvil.start({ port: 0 })
      yield* Contracts.deploy(chain)
      yield* chain.ask("make blocks at once", (client) => client.setAutomine(true))
      return chain
    })
  )
}

/** The tests of a file, on one chain and in real time. */
export const onChain = layer(Chain.layer, { timeout: "30 seconds", excludeTestServices: true })

const serial = { tokens: 0 }

/** A token of the test's own, so that its counts are too. */
export const newToken = (maxMintCount = 1_000n) =>
  Effect.flatMap(Chain, (chain) =>
    Contracts.deployToken(chain, { name: "Test", symbol: `TEST${++serial.tokens}`, maxMintCount })
  )

export interface Shop extends Pick<MintServer.MintServerOptions, "dataDir" | "port" | "sandbox" | "faults"> {
  readonly token: Address
}

export const serve = Effect.fnUntraced(function* ({ token, ...options }: Shop) {
  const { rpcUrl } = yield* Chain
  return yield* MintServer.serve({
    rpcUrl,
    chainId: local.chainId,
    usdc: local.usdc,
    tokens: [{ address: token, pricePerMint: PRICE }],
    gasKey: roleKeys.mintServer,
    port: 0,
    ...options
  })
})

/** A token with so many mints, and a server that sells it. */
export const openShop = Effect.fnUntraced(function* (maxMintCount?: bigint) {
  const token = yield* newToken(maxMintCount)
  const { url } = yield* serve({ token, dataDir: yield* emptyDirectory })
  return { token, url, at: `${url}/api/mint/${token}` }
})

/** A server that can be stopped before the test ends. */
export const serveUntilStopped = Effect.fnUntraced(function* (shop: Shop) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const { url } = yield* Scope.provide(serve(shop), scope)
  return { url, stop: Scope.close(scope, Exit.void) }
})

export interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly receipt: ReturnType<typeof decodePaymentResponseHeader> | undefined
  readonly challenge: PaymentRequired | undefined
}

const decoded = <A>(header: string | null, decode: (text: string) => A): A | undefined =>
  header === null ? undefined : decode(header)

/** One HTTP request; `body` as it is where it is text. */
export const post = (url: string, body: unknown, header?: string): Effect.Effect<Reply, unknown> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...(header && { "payment-signature": header }) },
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal
    })
    return {
      status: response.status,
      body: (await response.json()) as Record<string, unknown>,
      receipt: decoded(response.headers.get("payment-response"), decodePaymentResponseHeader),
      challenge: decoded(response.headers.get("payment-required"), decodePaymentRequiredHeader)
    }
  })

/** A wallet with 100 USDC, by default. */
export const newPayer = Effect.fnUntraced(function* (funds = 100n * PRICE) {
  const account = privateKeyToAccount(generatePrivateKey())
  const chain = yield* Chain
  if (funds > 0n) yield* Contracts.mintUsdc(chain, address(account.address), usdc(funds))
  return account
})
export type Payer = Effect.Success<ReturnType<typeof newPayer>>

export interface Authorization {
  readonly from: Address
  readonly to: Address
  readonly value: bigint
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly nonce: Bytes32
}

export interface Signed {
  readonly authorization: Authorization
  readonly signature: Hex
  /** What carries it to the server. */
  readonly header: string
}

/** Pays what a challenge asks for; `but` says what is done otherwise. Valid for five minutes of the chain's time. */
export const sign = Effect.fnUntraced(function* (
  payer: Payer,
  challenge: PaymentRequired | undefined,
  but: Partial<Authorization> = {}
): Effect.fn.Return<Signed, unknown, Chain> {
  const chain = yield* Chain
  const { timestamp } = yield* chain.ask("read the time", (client) => client.getBlock())
  const accepted = challenge?.accepts[0]
  if (challenge === undefined || accepted === undefined) return yield* Effect.die(new Error("there is no offer"))
  const authorization: Authorization = {
    from: address(payer.address),
    to: address(accepted.payTo),
    value: BigInt(accepted.amount),
    validAfter: 0n,
    validBefore: timestamp + 300n,
    nonce: keccak256(toHex(generatePrivateKey())),
    ...but
  }
  const signature = yield* Effect.promise(() =>
    payer.signTypedData({
      domain: signingDomain(local),
      types: authorizationTypes,
      primaryType: "TransferWithAuthorization",
      message: authorization
    })
  )
  const { value, validAfter, validBefore } = authorization
  const fields = { value: String(value), validAfter: String(validAfter), validBefore: String(validBefore) }
  const payload = { signature, authorization: { ...authorization, ...fields } }
  const { resource } = challenge
  const header = encodePaymentSignatureHeader({ x402Version: 2, resource, accepted, payload })
  return { authorization, signature, header }
})

export const usdcOf = (account: Address) =>
  Effect.flatMap(Chain, (chain) =>
    chain.ask("read a balance", (client) =>
      client.readContract({ address: local.usdc.address, abi: usdcAbi, functionName: "balanceOf", args: [account] })
    )
  )

/** All mints of a token, oldest first. */
export const mintsOf = (token: Address) =>
  Effect.flatMap(Chain, (chain) =>
    chain.ask("read the mints", async (client) => {
      const event = { address: token, abi: mintTokenAbi, eventName: "TokensMinted", strict: true } as const
      const logs = await client.getContractEvents({ ...event, fromBlock: 0n })
      return logs.map(({ args, transactionHash }) => ({ to: address(args.to), tx: transactionHash }))
    })
  )

/**
 * Code that answers 100 to a call without arguments (`remainingSupply`) and reverts one with them (`mint`):
 * `if (calldatasize < 5) return 100; else revert()`.
 */
const REFUSES = "0x60053610600c5760006000fd5b606460005260206000f3"

/** A token that says that it has mints left and will not mint, until the effect that comes back is run. */
export const refusesToMint = Effect.fnUntraced(function* (token: Address) {
  const chain = yield* Chain
  const code = yield* chain.ask("read the token's code", (client) => client.getCode({ address: token }))
  const put = (bytecode: Hex) =>
    chain.ask("change the token's code", (client) => client.setCode({ address: token, bytecode }))
  yield* put(REFUSES)
  return put(code ?? "0x")
})

/** The server's account, which settles and mints. */
export const minter = roles.mintServer.address

/** How many transactions of an account are in blocks; with `pending`, those that wait for one too. */
export const sentBy = (account: Hex, blockTag: "latest" | "pending" = "latest") =>
  Effect.flatMap(Chain, (chain) =>
    chain.ask("count transactions", (client) => client.getTransactionCount({ address: account, blockTag }))
  )

/** Returns when a transaction of the account waits for a block. */
export const untilPending = (account: Hex) =>
  Effect.zipWith(sentBy(account), sentBy(account, "pending"), (latest, pending) => pending > latest).pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (isPending) => isPending })
  )

/** Whom the mints go to. */
export const recipient = address(`0x${"4e".repeat(20)}`)
export const stranger = address(`0x${"57".repeat(20)}`)

/** What is ordered where a test does not care. */
export const order = { recipient, quantity: 3 }

/** The official packages write to the console what they make of a bad request: none must get that far. */
export const keepsQuiet = (): void => {
  const said: Array<unknown> = []
  beforeAll(() => {
    for (const method of ["log", "info", "warn", "error", "debug"] as const)
      vi.spyOn(console, method).mockImplementation((...words) => void said.push(words))
  })
  afterAll(() => {
    vi.restoreAllMocks()
    assert.deepStrictEqual(said, [])
  })
}
