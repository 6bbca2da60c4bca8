import { Option } from "effect"
import type { Log, Receipt } from "../chain/answers.ts"
import { paymentOf } from "../chain/authorizations.ts"
import { isMintTo, mintsIn, sellersOf } from "../chain/mintEvents.ts"
import { decodeTransfer, TRANSFER } from "../chain/usdc.ts"
import type { Bytes32 } from "../domain/Address.ts"
import { counted } from "../domain/text.ts"
import { format } from "../domain/Usdc.ts"
import { type Check, falseIf, holds, overall, unknown } from "./Check.ts"
import type { Evidence } from "./evidence.ts"
import type { Claims } from "./Proof.ts"

// What a proof says, against the receipts of its transactions.

/** Blocks that a fact must have, its own included: the executor's own default (`CONFIRMATIONS`). */
export const CONFIRMATIONS = 2n

/** A transaction, and the block that the proof has it in. */
interface Place {
  readonly tx: Bytes32
  readonly block: bigint | null
}

export const chainChecks = (claims: Claims, evidence: Evidence): ReadonlyArray<Check> => [
  ...depositChecks(claims, evidence),
  ...paymentChecks(claims, evidence),
  ...mintChecks(claims, evidence)
]

/** The receipt of a transaction where it is as the proof says, or the check that ends there. */
const receiptAt = (what: string, place: Place, claims: Claims, evidence: Evidence): Receipt | Check => {
  const receipt = evidence.receipts.get(place.tx)
  if (receipt === undefined) return withoutReceipt(what, place, claims, evidence)
  if (!receipt.succeeded) return falseIf(what, [`${place.tx} was reverted: it did nothing`])
  if (place.block !== null && receipt.block !== place.block) {
    return falseIf(what, [`${place.tx} is in block ${receipt.block}, not in block ${place.block}`])
  }
  const hash = receipt.logs[0]?.blockHash ?? evidence.blocks.get(receipt.block)?.hash
  const claimed = hashOf(claims, receipt.block)
  if (hash === undefined) return unknown(what, `no node gives the hash of block ${receipt.block}`)
  if (place.block !== null && hash !== claimed) {
    return falseIf(what, [
      `block ${receipt.block} is ${hash} on this chain, not ${claimed}: another chain, or another fork`
    ])
  }
  const depth = evidence.head - receipt.block + 1n
  return depth < CONFIRMATIONS
    ? unknown(what, `block ${receipt.block} has ${depth} of ${CONFIRMATIONS} blocks yet: ask again in a moment`)
    : receipt
}

const hashOf = ({ blocks }: Claims, number: bigint): Bytes32 | undefined =>
  blocks.find((block) => block.number === number)?.hash

/** That a node lacks a transaction proves nothing, unless it has the block and the block does not hold it. */
const withoutReceipt = (what: string, { tx, block }: Place, claims: Claims, evidence: Evidence): Check => {
  const content = block === null ? undefined : evidence.blocks.get(block)
  if (block !== null && content !== undefined) {
    if (content.hash !== hashOf(claims, block))
      return falseIf(what, [`block ${block} is ${content.hash} on this chain`])
    if (!content.transactions.includes(tx)) return falseIf(what, [`block ${block} does not hold ${tx}`])
  }
  if (!evidence.receipts.has(tx)) return unknown(what, `no node answered about ${tx}`)
  if (block !== null && block > evidence.head) return unknown(what, `the node has no block ${block} yet`)
  return unknown(what, `no node knows ${tx}: its history may be pruned. Ask a node that keeps all of it`)
}

const isReceipt = (found: Receipt | Check): found is Receipt => "logs" in found

/** Any account may deploy a contract whose events look like those of USDC. */
const logsOf = (receipt: Receipt, contract: string): ReadonlyArray<Log> =>
  receipt.logs.filter(({ address }) => address === contract)

const readTransfer = Option.liftThrowable(decodeTransfer)

const depositChecks = (claims: Claims, evidence: Evidence): ReadonlyArray<Check> => {
  const taken = new Set<Log>()
  return claims.deposits.map((deposit) => {
    const { tx, logIndex, sender, amount } = deposit
    const what = `deposit: ${format(amount)} USDC from ${sender} in ${tx}`
    const receipt = receiptAt(what, deposit, claims, evidence)
    if (!isReceipt(receipt)) return receipt
    const same = logsOf(receipt, claims.usdc).filter((log) => {
      if (log.topics[0] !== TRANSFER || taken.has(log)) return false
      const transfer = Option.getOrUndefined(readTransfer(log))
      return transfer?.from === sender && transfer.to === claims.order.agentWallet && transfer.value === amount
    })
    const log = same.find((one) => one.logIndex === logIndex) ?? same[0]
    if (log === undefined) return falseIf(what, ["the transaction has no such transfer into the agent wallet"])
    taken.add(log)
    return holds(what)
  })
}

/** A transfer that `AuthorizationUsed` shows, of a batch or of a refund. */
interface Sent extends Place {
  readonly what: string
  readonly query: {
    readonly payer: Claims["usdc"]
    readonly nonce: Bytes32
    readonly expected: { readonly to: Claims["usdc"]; readonly value: Claims["payments"][number]["amount"] }
  }
  readonly validAfter: number | null
  readonly validBefore: number | null
}

const sentOf = ({ order, payments, refunds }: Claims): ReadonlyArray<Sent> => {
  const query = ({ nonce, payTo, amount }: (typeof payments)[number] | (typeof refunds)[number]) => ({
    payer: order.agentWallet,
    nonce,
    expected: { to: payTo, value: amount }
  })
  return [
    ...payments.map((payment) => ({
      ...payment,
      what: `payment of batch ${payment.batch}: ${format(payment.amount)} USDC to ${payment.payTo} in ${payment.tx}`,
      query: query(payment)
    })),
    ...refunds.map((refund) => ({
      ...refund,
      what: `refund: ${format(refund.amount)} USDC to ${refund.payTo} in ${refund.tx}`,
      query: query(refund),
      validAfter: null,
      validBefore: null
    }))
  ]
}

const paymentChecks = (claims: Claims, evidence: Evidence): ReadonlyArray<Check> => {
  const all = sentOf(claims)
  const together = Map.groupBy(all, ({ tx }) => tx)
  return all.map((sent) => {
    const receipt = receiptAt(sent.what, sent, claims, evidence)
    if (!isReceipt(receipt)) return receipt
    const events = logsOf(receipt, claims.usdc)
    // All of one transaction at once, so that no transfer stands for two nonces.
    const shown = Option.getOrUndefined(readPayment(sent.query, together.get(sent.tx) ?? [], events))
    if (shown === undefined) return falseIf(sent.what, [`the transaction does not use nonce ${sent.query.nonce}`])
    const { to, value } = sent.query.expected
    return falseIf(sent.what, [
      ...(shown.to === to && shown.value === value
        ? []
        : [`the nonce paid ${format(shown.value)} USDC to ${shown.to}`]),
      ...outsideWindow(sent, events)
    ])
  })
}

const readPayment = Option.liftThrowable(paymentOf)

/** Where the node gives the time of a block with its logs. */
const outsideWindow = ({ validAfter, validBefore }: Sent, events: ReadonlyArray<Log>): ReadonlyArray<string> => {
  const timeMs = events[0]?.timeMs
  if (timeMs === undefined || validAfter === null || validBefore === null) return []
  const seconds = timeMs / 1000
  return seconds > validAfter && seconds < validBefore ? [] : ["its block is outside of the window that was signed"]
}

/** By transaction: each mint that is claimed is one of those that the events of the transaction come to. */
const mintChecks = (claims: Claims, evidence: Evidence): ReadonlyArray<Check> => {
  const portions = new Map(claims.payments.map(({ batch, portion }) => [batch, portion]))
  const groups = Map.groupBy(claims.mints, ({ batch, tx }) => `${batch} ${tx}`)
  return [...groups.values()].flatMap((mints) => {
    const [first] = mints
    if (first === undefined) return []
    const { tx, batch } = first
    const what = `mints of batch ${batch}: ${mints.length} of ${claims.order.token} to ${claims.order.user} in ${tx}`
    const places = mints.map((mint) => receiptAt(what, mint, claims, evidence))
    const ending = places.find((place) => !isReceipt(place) && overall([place]) === "false") ?? places[0]
    if (ending === undefined || !isReceipt(ending)) return ending ?? []
    const found = mintsBy(claims, ending, portions.get(batch) ?? undefined)
    return [
      falseIf(
        what,
        mints.flatMap(({ part, mintNumber, event }) => {
          const mint = found[part]
          if (mint === undefined)
            return [`mint ${mintNumber} is not there: its events come to ${counted(found.length, "mint")}`]
          return event === null || event === mint.event ? [] : [`no ${event} tells mint ${mintNumber}`]
        })
      )
    ]
  })
}

const mintsBy = ({ order, sellers }: Claims, receipt: Receipt, portion: bigint | undefined) => {
  const from = sellersOf(sellers)
  return mintsIn(
    logsOf(receipt, order.token).filter((log) => isMintTo(order.user, from, log)),
    portion
  )
}
