import { base, baseSepolia, local, type NetworkShape } from "../config/Network.ts"
import type { Address } from "../domain/Address.ts"
import { nonceOf } from "../domain/Batch.ts"
import { refundNonce } from "../domain/Refund.ts"
import { counted } from "../domain/text.ts"
import { format, sum, times } from "../domain/Usdc.ts"
import { type Check, falseIf, holds, unknown } from "./Check.ts"
import type { Claims } from "./Proof.ts"

// What a proof says about itself: each part follows from the others, or it does not. No node is asked.

const NETWORKS: ReadonlyArray<NetworkShape> = [base, baseSepolia, local]

/** What the content shows by itself, in the order in which a person would look. */
export const contentChecks = (claims: Claims): ReadonlyArray<Check> => [
  chainCheck(claims),
  orderCheck(claims),
  ...depositChecks(claims),
  nonceCheck(claims),
  amountCheck(claims),
  ...mintChecks(claims),
  refundCheck(claims),
  blockCheck(claims)
]

/** Any other contract could log any payment: only Circle's own USDC counts. */
const chainCheck = ({ chainId, usdc }: Claims): Check => {
  const network = NETWORKS.find((one) => one.chainId === chainId)
  const what = `the money is Circle's USDC on ${network?.name ?? "a known chain"} (chain ${chainId})`
  if (network === undefined) return falseIf(what, [`chain ${chainId} is none that payments are made on`])
  return falseIf(what, usdc === network.usdc.address ? [] : [`USDC there is ${network.usdc.address}, not ${usdc}`])
}

const orderCheck = ({ order, quote, mints }: Claims): Check => {
  const { quantity, pricePerMint, totalCost, mintsCompleted, status } = order
  const due = times(pricePerMint, quantity)
  return falseIf(`the order costs ${format(totalCost)} USDC: ${counted(quantity, "mint")} at ${format(pricePerMint)}`, [
    ...(due === totalCost ? [] : [`that is ${format(due)} USDC`]),
    ...(mintsCompleted > quantity ? [`${mintsCompleted} of ${quantity} mints are completed`] : []),
    ...(mints.length > mintsCompleted ? [`it names ${mints.length} mints and counts ${mintsCompleted}`] : []),
    ...(status === "completed" && mintsCompleted !== quantity ? ["it is completed with mints missing"] : []),
    ...(quote !== null && (quote.pricePerMint !== pricePerMint || quote.quantity !== quantity)
      ? [`the quote was for ${counted(quote.quantity, "mint")} at ${format(quote.pricePerMint)} USDC`]
      : [])
  ])
}

const depositChecks = ({ order, deposits }: Claims): ReadonlyArray<Check> => {
  const used = sum(deposits.map((deposit) => deposit.used))
  const what = `the deposits cover the order: ${format(used)} of ${format(order.totalCost)} USDC`
  const fault = falseIf(what, [
    ...deposits
      .filter((deposit) => deposit.used > deposit.amount)
      .map(({ tx, used, amount }) => `${format(used)} of the ${format(amount)} USDC of ${tx} are used`),
    ...repeated(deposits.map(({ tx, logIndex }) => `${tx} ${logIndex}`)).map(
      (name) => `deposit ${name} is named twice`
    ),
    ...(used > order.totalCost ? ["more is used than the order costs"] : [])
  ])
  if (fault.result === "false" || used === order.totalCost) return [fault]
  const rest = format(order.totalCost - used)
  return [unknown(what, `the ledger names no deposit for ${rest} USDC of it: the wallet may have had credit`)]
}

/** The nonces that USDC takes once follow from the order: a payment of another order has another nonce. */
const nonceCheck = ({ chainId, usdc, order, payments }: Claims): Check => {
  const { agentWallet: payer, id: taskId } = order
  return falseIf(`the nonces of ${counted(payments.length, "payment")} are this order's own`, [
    ...payments
      .filter(({ batch: number, nonce }) => nonce !== nonceOf({ chainId, usdc, payer, taskId, number }))
      .map(({ batch }) => `the nonce of batch ${batch} is of another order, wallet or chain`),
    ...repeated(payments.map(({ batch }) => String(batch))).map((batch) => `batch ${batch} is paid twice`)
  ])
}

const amountCheck = ({ order, payments }: Claims): Check => {
  const paid = sum(payments.map(({ amount }) => amount))
  return falseIf(`no payment is above the price: ${format(paid)} of ${format(order.totalCost)} USDC are paid`, [
    ...payments
      .filter(({ amount, quantity }) => amount > times(order.pricePerMint, quantity))
      .map(
        ({ batch, amount, quantity }) => `batch ${batch} pays ${format(amount)} USDC for ${counted(quantity, "mint")}`
      ),
    ...(paid > order.totalCost ? ["more is paid than the order costs"] : []),
    ...payments
      .filter(({ validAfter, validBefore }) => (validAfter ?? 0) >= (validBefore ?? Infinity))
      .map(({ batch }) => `the window of batch ${batch} is empty`)
  ])
}

const mintChecks = ({ order, payments, mints }: Claims): ReadonlyArray<Check> => {
  const sizes = new Map(payments.map(({ batch, quantity }) => [batch, quantity]))
  const ofBatch = Map.groupBy(mints, ({ batch }) => batch)
  const what = `each of the ${counted(mints.length, "mint")} counts once`
  return [
    falseIf(what, [
      ...repeated(mints.map(({ tx, part }) => `${part + 1} in ${tx}`)).map((name) => `mint ${name} is counted twice`),
      ...repeated(mints.map(({ mintNumber }) => String(mintNumber))).map((number) => `mint ${number} is there twice`),
      ...[...ofBatch].flatMap(([batch, its]) => {
        const size = sizes.get(batch)
        if (size === undefined) return [`batch ${batch} has mints and no payment`]
        return its.length > size ? [`batch ${batch} has ${its.length} mints and pays for ${size}`] : []
      })
    ]),
    ...(mints.length < order.mintsCompleted
      ? [
          unknown(
            `all ${order.mintsCompleted} mints that the order counts are named`,
            `${order.mintsCompleted - mints.length} of them are known to the ledger by word alone`
          )
        ]
      : [holds(`all ${order.mintsCompleted} mints that the order counts are named`)])
  ]
}

const refundCheck = ({ chainId, usdc, order, refunds }: Claims): Check =>
  falseIf(`${counted(refunds.length, "refund")} went to the person`, [
    ...refunds.filter(({ payTo }) => payTo !== order.user).map(({ id, payTo }) => `refund ${id} went to ${payTo}`),
    ...refunds
      .filter(({ id, nonce }) => nonce !== refundNonce({ chainId, usdc, payer: order.agentWallet, id }))
      .map(({ id }) => `the nonce of refund ${id} is of another one`),
    ...repeated(refunds.map(({ id }) => id)).map((id) => `refund ${id} is there twice`)
  ])

const blockCheck = ({ deposits, payments, mints, refunds, blocks }: Claims): Check => {
  const named = new Set(blocks.map(({ number }) => number))
  const needed = new Set([...deposits, ...payments, ...mints, ...refunds].flatMap(({ block }) => block ?? []))
  return falseIf(`it names the hash of ${counted(named.size, "block")}`, [
    ...[...needed].filter((block) => !named.has(block)).map((block) => `block ${block} has no hash`),
    // A hash that no transaction stands behind would be believed for the company that it is in.
    ...[...named].filter((block) => !needed.has(block)).map((block) => `nothing is in block ${block}`),
    ...repeated(blocks.map(({ number }) => String(number))).map((number) => `block ${number} has two hashes`)
  ])
}

const repeated = (names: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(names.filter((name, index) => names.indexOf(name) !== index))
]

/** What no node can show, and a reader has to know otherwise. */
export const limitsOf = (
  { payments, sellers }: Claims,
  trust: { readonly signer: Address | undefined; readonly isExpected: boolean }
): ReadonlyArray<string> => {
  const portions = [...new Set(payments.map(({ portion }) => portion))]
  const inUnits = portions.flatMap((portion) => portion ?? [])
  return [
    trust.signer === undefined
      ? "Who vouches for it: it is not signed as it is here. Times, status, price and quote of the order are then the word of its author alone."
      : "Times, status, price and quote of the order: they are the signer's word, and no chain shows them.",
    ...(trust.signer === undefined || trust.isExpected
      ? []
      : [`Whether ${trust.signer} is the platform's account: give the one that you know with --signer.`]),
    "Whether the deposits were meant for this order: a transfer names no order.",
    "Whether another proof counts the same mints or deposits: this one knows of one order.",
    ...(inUnits.length > 0
      ? [`Whether ${inUnits.join(" or ")} base units of the token are one mint, as the seller means it.`]
      : []),
    ...(portions.includes(null) ? ["Whether one event of the token is one mint, as the seller means it."] : []),
    ...(sellers.length > 0 ? [`Whether ${sellers.join(", ")} sells the token: its transfers count as mints.`] : []),
    "Whether the node tells the truth: use your own, or one that you trust."
  ]
}
