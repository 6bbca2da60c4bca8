import { Schema, SchemaTransformation } from "effect"
import { MINT_EVENTS } from "../chain/ChainClient.ts"
import { Address, Uuid } from "../domain/Address.ts"
import { RefundId } from "../domain/Refund.ts"
import { QUANTITY_MAX, STATUSES, TaskId } from "../domain/Task.ts"
import { Usdc } from "../domain/Usdc.ts"

// What a proof of an order says. Each value has one spelling only, so that a document has one canonical form. A proof comes
// from strangers, so everything in it is bounded.

const wholeText = (digits: number) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^(?:0|[1-9]\\d{0,${digits - 1}})$`)))

const bigIntOf = { decode: BigInt, encode: String }

/** USDC in base units (6 decimals). */
const Amount = wholeText(19).pipe(Schema.decodeTo(Usdc, SchemaTransformation.transform<bigint, string>(bigIntOf)))

/** A whole number that may be as large as 256 bits. */
const Whole = wholeText(78).pipe(
  Schema.decodeTo(Schema.BigInt, SchemaTransformation.transform<bigint, string>(bigIntOf))
)

const BlockNumber = wholeText(15).pipe(
  Schema.decodeTo(Schema.BigInt, SchemaTransformation.transform<bigint, string>(bigIntOf))
)

const Hash = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x[0-9a-f]{64}$/))

/** ISO 8601 in UTC, to the millisecond. */
const Instant = Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/))

const upTo = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Seconds = upTo(0, Number.MAX_SAFE_INTEGER)
const LogIndex = upTo(0, 2 ** 31 - 1)

const many = <S extends Schema.Constraint>(schema: S, most: number) =>
  Schema.Array(schema).check(Schema.isMaxLength(most))

/** More batches than an order can have: its mints, and the numbers that replaced ones left. */
export const BATCHES_MAX = 2 * QUANTITY_MAX
const DEPOSITS_MAX = 1_000

/** The order, as the ledger has it. Only the signature stands behind what no chain shows: status, times, user. */
const Order = Schema.Struct({
  id: TaskId,
  status: Schema.Literals(STATUSES),
  /** The person, who gets the mints. */
  user: Address,
  /** Who pays: the wallet that the platform keeps for the person. */
  agentWallet: Address,
  token: Address,
  quantity: upTo(1, QUANTITY_MAX),
  pricePerMint: Amount,
  totalCost: Amount,
  mintsCompleted: upTo(0, QUANTITY_MAX),
  createdAt: Schema.NullOr(Instant),
  fundedAt: Schema.NullOr(Instant),
  completedAt: Schema.NullOr(Instant)
})

/** The offer that the order was placed with, where there was one. */
const Quote = Schema.Struct({
  id: Uuid,
  quantity: upTo(1, QUANTITY_MAX),
  pricePerMint: Amount,
  quotedAt: Instant,
  expiresAt: Instant
})

/** USDC that came into the agent wallet. */
const PaidIn = Schema.Struct({
  tx: Hash,
  /** As counted by the node that gave the log: others may count differently, so it only names the log. */
  logIndex: LogIndex,
  block: BlockNumber,
  sender: Address,
  amount: Amount,
  /** How much of it paid for this order. */
  used: Amount
})

/** One payment of the agent wallet to the mint server. Its log is named by payer and nonce, which USDC takes once. */
const Payment = Schema.Struct({
  batch: upTo(1, BATCHES_MAX),
  /** Mints that it buys. */
  quantity: upTo(1, QUANTITY_MAX),
  nonce: Hash,
  /** How the nonce follows from chain id, USDC, agent wallet, order and batch. */
  nonceScheme: Schema.Literal("ai-mint/1"),
  payTo: Address,
  amount: Amount,
  /** The window that was signed, seconds since 1970, both exclusive; `null` where the ledger does not know it. */
  validAfter: Schema.NullOr(Seconds),
  validBefore: Schema.NullOr(Seconds),
  tx: Hash,
  block: BlockNumber,
  /** Base units of the token in one mint; `null`: each event is one mint. */
  portion: Schema.NullOr(Whole)
})
export type Payment = typeof Payment.Type

/** One mint. Several mints may have one log, which is then there for that many units. */
const Minted = Schema.Struct({
  batch: upTo(1, BATCHES_MAX),
  /** Ordinal in the order, from 1. */
  mintNumber: upTo(1, BATCHES_MAX),
  tx: Hash,
  /** 0 for the first mint of the token to the person in the transaction, 1 for the next one. */
  part: upTo(0, 100_000),
  logIndex: LogIndex,
  /** `null` where the chain was not asked. */
  event: Schema.NullOr(Schema.Literals(MINT_EVENTS)),
  block: Schema.NullOr(BlockNumber)
})

/** What went back to the person out of the same deposits. */
const PaidBack = Schema.Struct({
  id: RefundId,
  nonce: Hash,
  nonceScheme: Schema.Literal("ai-mint/refund/1"),
  payTo: Address,
  amount: Amount,
  tx: Hash,
  block: BlockNumber
})

/** What is claimed, and what a signature is made over. */
export const Claims = Schema.Struct({
  type: Schema.Literal("ai-mint/order-proof"),
  version: Schema.Literal(1),
  issuedAt: Instant,
  chainId: upTo(1, Number.MAX_SAFE_INTEGER),
  usdc: Address,
  order: Order,
  quote: Schema.NullOr(Quote),
  deposits: many(PaidIn, DEPOSITS_MAX),
  payments: many(Payment, BATCHES_MAX),
  mints: many(Minted, BATCHES_MAX),
  refunds: many(PaidBack, DEPOSITS_MAX),
  /** Addresses whose transfers to the person count as mints, besides those from the zero address. */
  sellers: many(Address, 100),
  /** The hash of every block that is named above. */
  blocks: many(Schema.Struct({ number: BlockNumber, hash: Hash }), 2 * BATCHES_MAX)
})
export type Claims = typeof Claims.Type
export type ClaimsJson = typeof Claims.Encoded

/** A proof of an order: what is claimed, and the signature of the AI Agent Account where there is one. */
export const Proof = Schema.Struct({
  proof: Claims,
  /** `null`: not signed, as the executor has no `AI_AGENT_PRIVATE_KEY`. */
  signature: Schema.NullOr(
    Schema.Struct({
      signer: Address,
      /** EIP-712 over the digest of the canonical form, 65 bytes. See `digest.ts`. */
      value: Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x[0-9a-f]{130}$/))
    })
  )
})
export type Proof = typeof Proof.Type
