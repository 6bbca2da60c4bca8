import { Effect, Redacted, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { toEventSelector } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { AUTHORIZATION_USED, topicOf } from "../../src/chain/usdc.ts"
import { base } from "../../src/config/Network.ts"
import { address, type Address } from "../../src/domain/Address.ts"
import { nonceOf } from "../../src/domain/Batch.ts"
import { refundNonce } from "../../src/domain/Refund.ts"
import { sign } from "../../src/proof/digest.ts"
import { Claims, Proof } from "../../src/proof/Proof.ts"
import { verifyBy } from "../../src/proof/verify.ts"
import { account, bytes32, fakeChain, type FakeLog, transfer } from "../chain/fakeChain.ts"
import { fetchOf, healthy, type Sent, URL } from "../chain/fakeNodes.ts"

// An order of twelve mints that was paid in two batches, with a refund of what was left, and the chain that shows it.

export const KEY = Redacted.make(`0x${"17".repeat(32)}` as const)
export const SIGNER = address(privateKeyToAccount(Redacted.value(KEY)).address)

const USER = account(0xa1)
const WALLET = account(0xa2)
const TOKEN = account(0xa3)
const SENDER = account(0xa4)
const TASK = "8a6e0804-2bd0-4672-b79d-d97027f9071a"
const REFUND = "1b671a64-40d5-491e-99b0-da01ff1f3341"

const TOKENS_MINTED = toEventSelector("TokensMinted(address,uint256,bytes32)")

const seed = { chainId: base.chainId, usdc: base.usdc.address, payer: WALLET }
const nonce = (number: number) => nonceOf({ ...seed, taskId: TASK as never, number })

const payment = (batch: number, quantity: number, block: number) => ({
  batch,
  quantity,
  nonce: nonce(batch),
  nonceScheme: "ai-mint/1",
  payTo: TOKEN,
  amount: String(quantity * 2_000_000),
  validAfter: 0,
  validBefore: 4_000_000_000,
  tx: bytes32(block),
  block: String(block),
  portion: "500"
})

const mint = (batch: number, mintNumber: number, part: number, block: number) => ({
  batch,
  mintNumber,
  tx: bytes32(block),
  part,
  logIndex: part,
  event: "TokensMinted",
  block: String(block)
})

/** The claims of that order, as they are written. */
export const claimsJson = {
  type: "ai-mint/order-proof",
  version: 1,
  issuedAt: "2026-01-31T10:00:00.000Z",
  chainId: base.chainId,
  usdc: base.usdc.address,
  order: {
    id: TASK,
    status: "completed",
    user: USER,
    agentWallet: WALLET,
    token: TOKEN,
    quantity: 12,
    pricePerMint: "2000000",
    totalCost: "24000000",
    mintsCompleted: 12,
    createdAt: "2026-01-31T09:00:00.000Z",
    fundedAt: "2026-01-31T09:01:00.000Z",
    completedAt: null
  },
  quote: {
    id: REFUND,
    quantity: 12,
    pricePerMint: "2000000",
    quotedAt: "2026-01-31T08:59:00.000Z",
    expiresAt: "2026-01-31T09:09:00.000Z"
  },
  deposits: [{ tx: bytes32(900), logIndex: 3, block: "900", sender: SENDER, amount: "25000000", used: "24000000" }],
  payments: [payment(1, 10, 910), payment(2, 2, 920)],
  mints: [
    ...Array.from({ length: 10 }, (_, index) => mint(1, index + 1, index, 911)),
    mint(2, 11, 0, 921),
    mint(2, 12, 1, 921)
  ],
  refunds: [
    {
      id: REFUND,
      nonce: refundNonce({ ...seed, id: REFUND as never }),
      nonceScheme: "ai-mint/refund/1",
      payTo: USER,
      amount: "1000000",
      tx: bytes32(930),
      block: "930"
    }
  ],
  sellers: [account(0xa5)],
  blocks: [900, 910, 911, 920, 921, 930].map((number) => ({ number: String(number), hash: bytes32(number) }))
}

export const decodeProof = Schema.decodeUnknownSync(Proof)

const decodeClaims = Schema.decodeUnknownSync(Claims)
const encode = Schema.encodeSync(Proof)

/** Signed by that account, as a file holds it. */
export const signedJson = Effect.map(sign(decodeClaims(claimsJson), KEY), encode)

const used = (spent: string, block: number, index = 0): FakeLog => ({
  address: base.usdc.address,
  topics: [AUTHORIZATION_USED, topicOf(WALLET), spent as `0x${string}`],
  block: BigInt(block),
  tx: bytes32(block),
  index
})

const paid = (to: Address, value: bigint, block: number) =>
  transfer({ from: WALLET, to, value, block: BigInt(block), index: 1 })

const minted = (units: number, block: number, index = 0): FakeLog => ({
  address: TOKEN,
  topics: [TOKENS_MINTED, topicOf(USER)],
  data: bytes32(units * 500),
  block: BigInt(block),
  tx: bytes32(block),
  index
})

/** The chain on which all of it is so. */
export const givenChain = () => {
  const chain = fakeChain(base)
  chain.logs.push(
    transfer({ from: SENDER, to: WALLET, value: 25_000_000n, block: 900n, index: 3 }),
    used(nonce(1), 910),
    paid(TOKEN, 20_000_000n, 910),
    ...Array.from({ length: 10 }, (_, index) => minted(1, 911, index)),
    used(nonce(2), 920),
    paid(TOKEN, 4_000_000n, 920),
    minted(2, 921),
    used(claimsJson.refunds[0]!.nonce, 930),
    paid(USER, 1_000_000n, 930)
  )
  return chain
}

/** What `ai-mint verify` finds, with nodes that exist only here, and what they were asked. */
export const verified = (
  json: unknown,
  behaviours: Parameters<typeof fetchOf>[0]["behaviours"] = { [URL]: healthy(givenChain()) },
  signer?: Address
) => {
  const sent: Array<Sent> = []
  const text = typeof json === "string" ? json : JSON.stringify(json)
  return verifyBy(text, { urls: Object.keys(behaviours), signer }).pipe(
    Effect.provideService(FetchHttpClient.Fetch, fetchOf({ behaviours, sent })),
    Effect.map((verdict) => ({ ...verdict, sent }))
  )
}
