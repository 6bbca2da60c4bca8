import { Context, Duration, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { type Account, encodeFunctionData, type Hex, parseAbi } from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import * as ChainClientViem from "../../src/chain/ChainClientViem.ts"
import { HeadKept } from "../../src/chain/head.ts"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import * as KeyCustodyAes from "../../src/chain/KeyCustodyAes.ts"
import { signingDomain } from "../../src/chain/usdc.ts"
import { local, type NetworkShape } from "../../src/config/Network.ts"
import { type Address, address } from "../../src/domain/Address.ts"
import type { Authorization } from "../../src/domain/Authorization.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import * as Anvil from "../../src/sandbox/Anvil.ts"
import * as Contracts from "../../src/sandbox/Contracts.ts"
import { type DevChain, roles } from "../../src/sandbox/DevChain.ts"
import { anyId } from "../support/anyId.ts"
import { ENCRYPTION_KEY, settings } from "../support/settings.ts"
import { encrypt } from "./encrypt.ts"
import * as Clocks from "../../src/ops/Clocks.ts"
import { bytes32 } from "./fakeChain.ts"

export const USDC = local.usdc.address

export const usdcCalls = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)",
  "function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)",
  "function transfer(address to, uint256 value) returns (bool)"
])

/** A real chain with Circle's USDC. It makes a block for every transaction and none by itself. */
export class Chain extends Context.Service<Chain, DevChain>()("test/chain/Chain") {
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

/** HTTP requests that left since the test began to count. */
export const sent: Array<string> = []

const countingFetch: typeof fetch = (input, init) => {
  const body: ReadonlyArray<{ readonly method: string }> = [JSON.parse(String(init?.body))].flat()
  sent.push(body.map(({ method }) => method).join())
  return fetch(input, init)
}

/** Blocks are made on command here, and read in the same moment. */
export const askingAnew = Layer.succeed(HeadKept, Duration.zero)

export const clientOf = (
  network: NetworkShape,
  rpcUrls: ReadonlyArray<string>,
  gasKey?: Hex,
  fetch: typeof globalThis.fetch = countingFetch
) =>
  // Fresh: a layer is built once for a program, and here one program has clients of several chains.
  Layer.fresh(ChainClientViem.layer).pipe(
    Layer.provide(askingAnew),
    Layer.provide(
      settings({
        network,
        rpcUrls: rpcUrls.map((url) => Redacted.make(url)),
        aiAgentPrivateKey: gasKey && Redacted.make(gasKey)
      })
    ),
    Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch))
  )

const onChain = Layer.unwrap(Effect.map(Chain, ({ rpcUrl }) => clientOf(local, [rpcUrl])))

const custody = KeyCustodyAes.layer.pipe(Layer.provide(settings()))

/** An account that no other test uses. */
export const person = (number: number): PrivateKeyAccount => privateKeyToAccount(bytes32(0xabc000 + number))

export const addressOf = (owner: Account): Address => address(owner.address)

/** In a block of its own, with one more on it: what is done so is confirmed. */
export const act = Effect.fnUntraced(function* (from: Account, to: Address, data: Hex) {
  const chain = yield* Chain
  const { transactionHash, blockNumber } = yield* chain.receipt("act", yield* chain.send("act", from, { to, data }))
  yield* chain.mine(1)
  return { tx: transactionHash, block: blockNumber }
})

export const transferData = (to: Address, value: bigint): Hex =>
  encodeFunctionData({ abi: usdcCalls, functionName: "transfer", args: [to, value] })

export const pay = (to: Address, value: bigint, from: Account = roles.customer) =>
  act(from, USDC, transferData(to, value))

export const walletOf = (number: number): Wallet => ({
  id: anyId(`00000000-0000-4000-8000-${String(number).padStart(12, "0")}`),
  userAddress: addressOf(roles.customer),
  agentAddress: addressOf(person(number)),
  encryptedPrivateKey: Redacted.make(encrypt(bytes32(0xabc000 + number).slice(2), ENCRYPTION_KEY))
})

/** A payment, signed by the key custody. */
export const signedData = Effect.fnUntraced(function* (wallet: Wallet, authorization: Authorization) {
  const { sign } = yield* KeyCustody
  const signature = yield* sign(wallet, authorization)
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const args = [from, to, value, BigInt(validAfter), BigInt(validBefore), nonce, signature] as const
  return encodeFunctionData({ abi: usdcCalls, functionName: "transferWithAuthorization", args })
})

/** Submitted by somebody else than the payer, as a mint server does. */
export const submit = (wallet: Wallet, authorization: Authorization) =>
  Effect.flatMap(signedData(wallet, authorization), (data) => act(roles.mintServer, USDC, data))

export const cancel = Effect.fnUntraced(function* (authorizer: PrivateKeyAccount, nonce: Hex) {
  const signature = yield* Effect.promise(() =>
    authorizer.signTypedData({
      domain: signingDomain(local),
      types: {
        CancelAuthorization: [
          { name: "authorizer", type: "address" },
          { name: "nonce", type: "bytes32" }
        ]
      },
      primaryType: "CancelAuthorization",
      message: { authorizer: authorizer.address, nonce }
    })
  )
  const args = [authorizer.address, nonce, signature] as const
  return yield* act(
    roles.mintServer,
    USDC,
    encodeFunctionData({ abi: usdcCalls, functionName: "cancelAuthorization", args })
  )
})

/** Valid for as long as any test runs. */
export const authorizationOf = (wallet: Wallet, to: Address, value: bigint, nonce: number): Authorization => ({
  from: wallet.agentAddress,
  to,
  value: usdc(value),
  validAfter: 0,
  validBefore: 4_000_000_000,
  nonce: bytes32(nonce)
})

export const services = Layer.mergeAll(onChain, custody).pipe(
  Layer.provideMerge(Layer.merge(Chain.layer, Clocks.layer))
)
