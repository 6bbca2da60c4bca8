import { Result, Schema } from "effect"
import type { PaymentAnswer } from "./Minter.ts"
import { foreignWords, ownWords } from "./ownAnswer.ts"
import {
  bodyJson,
  bodyWords,
  cutReason,
  hashesIn,
  plain,
  type Reply,
  classifyStatus,
  BROKEN_OFF,
  answerMessage,
  redirectNote,
  unclear
} from "./reply.ts"

const anything = Schema.optionalKey(Schema.Unknown)

/** Everything that the server may state about a payment, under its own names. */
const Said = Schema.Struct({
  success: anything,
  paymentTxHash: anything,
  paymentQueueId: anything,
  status: anything,
  state: anything,
  txHash: anything,
  tx_hash: anything,
  error: anything,
  message: anything
})
const decodeSaid = Schema.decodeUnknownResult(Said)

const read = (reply: Reply): typeof Said.Type =>
  Result.getOrElse(decodeSaid(bodyJson(reply)), (): typeof Said.Type => ({}))

/**
 * What a v1.1 server's answer to a payment is. A success means paid and queued: the ids of its queue are no
 * transactions, and there may be fewer of them than mints were ordered. So which mints there are, the chain tells.
 */
export const readPaymentAnswerV1 = (reply: Reply): PaymentAnswer => {
  if (reply.body === undefined) return unclear(answerMessage(reply, BROKEN_OFF))
  const said = read(reply)
  // Not any 2xx: 202 is a payment that is queued itself.
  if (reply.status === 200 && said.success === true)
    return { _tag: "Accepted", mintTxs: [], paymentTx: hashesIn(said.paymentTxHash)[0] }
  const words = refusalText(reply, said)
  if (isRefusal(reply)) return { _tag: "Refused", reason: answerMessage(reply, words) }
  const isForeign = classifyStatus(reply.status) === "No" && reply.status !== 402 && ownWords(reply) === undefined
  const reference = referenceIn(said.paymentQueueId)
  const doubt = unclear(answerMessage(reply, hint(reply) ?? (isForeign ? foreignWords(reply) : words), reference))
  return reference === undefined ? doubt : { ...doubt, reference }
}

/**
 * Words of a 4xx that leave open what became of the payment: its transaction reverted, perhaps because another one with
 * the same nonce was first (`Payment processing failed`), or the server met with anything at all between queueing the
 * payment and answering (`Failed to queue payment`). Every other fault is found before the payment is processed.
 * Source: the v1.1 server's mint route.
 */
const LEAVES_OPEN = /processing[\s_-]*failed|failed[\s_-]*to[\s_-]*queue|already[\s_-]*(used|paid|spent|processed)/i

/** 402 is an answer of another protocol: nothing was wrong with the order. */
const isRefusal = (reply: Reply): boolean =>
  classifyStatus(reply.status) === "No" &&
  reply.status !== 402 &&
  ownWords(reply) !== undefined &&
  !LEAVES_OPEN.test(reply.body ?? "")

const hint = (reply: Reply): string | undefined =>
  reply.status === 402 ? "it speaks x402, check MINT_PROTOCOL" : redirectNote(reply)

/** `Invalid payment amount: Payment must be exactly 8.199999 USDC`: the fault, and what it is in this case. */
const refusalText = (reply: Reply, { error, message }: typeof Said.Type): string | undefined => {
  const said = [error, message].filter((word) => typeof word === "string").map(plain)
  return [...new Set(said)].filter((word) => word !== "").join(": ") || bodyWords(reply)
}

/** Fit for a URL, a column and a log line; shorter than what `plain` takes for bytes of a payment. `..` is none. */
const REFERENCE = /^[a-z0-9][a-z0-9._:-]{0,62}$/i

export const isReference = (text: string): boolean => REFERENCE.test(text)

const referenceIn = (id: unknown): string | undefined => {
  const text = Number.isSafeInteger(id) ? String(id) : id
  return typeof text === "string" && isReference(text) ? text : undefined
}

/** `mint server says of payment 17: completed, transaction 0x…`. `undefined` where the server fails or states nothing. */
export const readFollowed = (reply: Reply, reference: string): string | undefined => {
  if (classifyStatus(reply.status) === "Later") return undefined
  const said = read(reply)
  const state = [said.status, said.state].find((word) => typeof word === "string")
  const tx = hashesIn(said.txHash, said.tx_hash, said.paymentTxHash)[0]
  const parts = [state && plain(state), tx && `transaction ${tx}`, refusalText(reply, { error: said.error })]
  const words = parts.filter((part) => part !== undefined && part !== "").join(", ")
  return words === "" ? undefined : cutReason(`mint server says of payment ${reference}: ${words}`)
}
