import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { createHash } from "node:crypto"
import { parseAbi, parseSignature, encodeFunctionData } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { signingDomain } from "../../src/chain/usdc.ts"
import { baseSepolia } from "../../src/config/Network.ts"
import type { Address, Bytes32 } from "../../src/domain/Address.ts"
import { roles } from "../../src/sandbox/DevChain.ts"
import { type BaseSepolia, USDC } from "../e2e/baseSepolia.ts"
import { eventually } from "../e2e/support.ts"
import { Chain, post, sign } from "../sandbox/mintFixtures.ts"
import type { Person } from "../support/orders.ts"
import type { Round } from "./crashRounds.ts"

/** The key of the agent wallet, as `support/orders.ts` makes it of the person's name. */
export const keyOf = (name: string) =>
  privateKeyToAccount(`0x${createHash("sha256").update(`agent ${name}`).digest("hex")}`)

const cancelAbi = parseAbi([
  "function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)"
])

/** `cancelAuthorization` of EIP-3009, by the holder of the wallet's key. Source: EIP3009.sol. */
export const cancelNonce = Effect.fnUntraced(function* ({ chain }: BaseSepolia, name: string, nonce: Bytes32) {
  const account = keyOf(name)
  const signature = yield* Effect.promise(() =>
    account.signTypedData({
      domain: signingDomain(baseSepolia),
      types: {
        CancelAuthorization: [
          { name: "authorizer", type: "address" },
          { name: "nonce", type: "bytes32" }
        ]
      },
      primaryType: "CancelAuthorization",
      message: { authorizer: account.address, nonce }
    })
  )
  const { r, s, yParity } = parseSignature(signature)
  const args = [account.address, nonce, 27 + yParity, r, s] as const
  const data = encodeFunctionData({ abi: cancelAbi, functionName: "cancelAuthorization", args })
  const hash = yield* chain.send("cancel a nonce", roles.treasury, { to: USDC, data, gas: 200_000n })
  yield* chain.receipt("cancel a nonce", hash)
})

/** The payment of a batch, mints and all, by somebody who has the wallet's key and the executor's nonce. */
const payFor = Effect.fnUntraced(function* ({ chain, serverUrl }: BaseSepolia, name: string, batch: Waiting) {
  const at = `${serverUrl}/api/mint/${batch.token}`
  const order = { recipient: batch.recipient, quantity: batch.quantity }
  const { challenge } = yield* post(at, order)
  const { header } = yield* sign(keyOf(name), challenge, { nonce: batch.nonce }).pipe(
    Effect.provideService(Chain, chain)
  )
  const { status } = yield* post(at, order, header)
  if (status !== 200) return yield* Effect.die(new Error(`the payment from elsewhere was answered ${status}`))
})

interface Waiting {
  readonly status: string
  readonly nonce: Bytes32
  readonly token: Address
  readonly recipient: Address
  readonly quantity: number
}

/** Waits until a batch of the order is as the round wants it, and then does what the round says. */
export const meddle = Effect.fnUntraced(function* (
  world: BaseSepolia,
  { meddling }: Round,
  order: { readonly name: string; readonly id: string; readonly who: Person }
) {
  if (meddling === undefined) return
  const sql = yield* SqlClient.SqlClient
  const { when, does, whileFirstIs } = meddling
  const wanted = whileFirstIs === undefined ? [when] : [whileFirstIs, when]
  const batch = yield* eventually(
    `${order.name}: batches are ${wanted.join(", ")}`,
    Effect.map(
      sql<Waiting>`SELECT status, nonce, token, recipient, quantity FROM ai_agent_batches
        WHERE task_id = ${order.id}::uuid ORDER BY number`,
      (rows) => (wanted.every((status, index) => rows[index]?.status === status) ? rows[wanted.length - 1] : undefined)
    )
  )
  yield* does === "cancels" ? cancelNonce(world, order.name, batch.nonce) : payFor(world, order.name, batch)
})
