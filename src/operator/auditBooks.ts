import type { Deposit } from "../domain/Deposit.ts"
import { format, sum } from "../domain/Usdc.ts"
import type { Account } from "../ledger/DecisionRepo.ts"
import { type ChainView, type AuditFinding, isInBooks } from "./audit.ts"
import { claimsOf } from "./auditPayments.ts"

/**
 * Every recorded deposit is on chain, with its amount, sender and block, and as often as the ledger has it; every transfer
 * into the wallet since its books were opened is recorded; and the books add up to the balance.
 */
export const auditBooks = (account: Account, view: ChainView): AuditFinding => {
  const { books } = account
  const wallet = account.wallet.agentAddress
  const isInReach = ({ block }: Deposit): boolean => block.number >= view.fromBlock && block.number <= view.block.number
  const recorded = account.deposits.filter(isInReach)
  const arrived = view.deposits.get(wallet) ?? []
  const { changed, invented, unknown } = compare(recorded, arrived)
  const answered = unknown.filter(({ block }) => isInBooks(account, block.number))
  const lost = answered.filter(({ block }) => books !== undefined && block.number <= books.countedBlock)
  const said = [
    ...lost.map(
      ({ amount, tx }) =>
        `${format(amount)} USDC came in ${tx}, and the ledger has counted past it: tell the maintainers of this program`
    ),
    ...changed.map(
      ([row, shown]) =>
        `${depositText(row)} came in ${row.tx} says the ledger, and the chain shows ${depositText(shown)} there`
    ),
    ...invented.map(
      ({ amount, tx }) => `${format(amount)} USDC came in ${tx} says the ledger, and the chain shows no such transfer`
    ),
    ...unevenBy(account, view, sum(answered.map(({ amount }) => amount)))
  ]
  return {
    totals: {
      deposits: recorded.length - invented.length - changed.length,
      uncounted: answered.length - lost.length,
      earlierDeposits: unknown.length - answered.length,
      newer: account.deposits.length - recorded.length
    },
    differences: said.map((what) => ({ wallet, what }))
  }
}

const depositText = ({ amount, from, block }: Deposit): string =>
  `${format(amount)} USDC from ${from} (block ${block.number})`

/** What a transfer is. Not the index of its log: nodes count those differently. */
const depositContent = ({ tx, from, amount, block }: Deposit): string => `${tx}:${from}:${amount}:${block.number}`

interface Compared {
  /** The ledger's and the chain's, of the same transaction. */
  readonly changed: ReadonlyArray<readonly [Deposit, Deposit]>
  /** Only the ledger has them. */
  readonly invented: ReadonlyArray<Deposit>
  /** Only the chain has them. */
  readonly unknown: ReadonlyArray<Deposit>
}

/** By content, and as often as it occurs. What is left over in the same transaction on both sides is one that differs. */
const compare = (recorded: ReadonlyArray<Deposit>, arrived: ReadonlyArray<Deposit>): Compared => {
  const same = paired(recorded, arrived, depositContent)
  const { pairs, left, right } = paired(same.left, same.right, ({ tx }) => tx)
  return { changed: pairs, invented: left, unknown: right }
}

/** One of each side at a time, in order, wherever they have the same key. */
const paired = (ours: ReadonlyArray<Deposit>, theirs: ReadonlyArray<Deposit>, keyOf: (one: Deposit) => string) => {
  const open = Map.groupBy(theirs, keyOf)
  const pairs: Array<readonly [Deposit, Deposit]> = []
  const left: Array<Deposit> = []
  for (const one of ours) {
    const partner = open.get(keyOf(one))?.shift()
    if (partner === undefined) left.push(one)
    else pairs.push([one, partner])
  }
  return { pairs, left, right: [...open.values()].flat() }
}

/**
 * Books that are not what the chain shows, with allowance for what is reported elsewhere: deposits that are not
 * recorded, transfers that are not proven yet or that nothing explains, and what happened after this block.
 */
const unevenBy = (account: Account, view: ChainView, unrecorded: bigint): ReadonlyArray<string> => {
  const { wallet, books } = account
  const balance = view.balances.get(wallet.agentAddress)
  if (books === undefined || balance === undefined) return []
  const booked = new Set(claimsOf(account).flatMap(({ paid, nonce }) => (paid === undefined ? [] : nonce)))
  const unbooked = (view.spending.get(wallet.agentAddress) ?? []).filter(
    ({ nonce, block }) => isInBooks(account, block) && (nonce === undefined || !booked.has(nonce))
  )
  const isLater = (block: bigint): boolean => block > view.block.number
  const laterDeposits = account.deposits.filter(({ block }) => isLater(block.number))
  const laterPayments = claimsOf(account).flatMap(({ paid }) =>
    paid !== undefined && isLater(paid.block) ? [paid.amount ?? 0n] : []
  )
  const due =
    books.balance +
    unrecorded +
    laterPayments.reduce((total, amount) => total + amount, 0n) -
    sum(laterDeposits.map(({ amount }) => amount)) -
    sum(unbooked.map(({ amount }) => amount))
  if (due === balance) return []
  return [
    `the books come to ${format(due)} USDC and the chain shows ${format(balance)}: look at its deposits and payments, ` +
      `then, once the wallet is stopped, open the books anew: ai-mint resolve --wallet ${wallet.agentAddress} --why "…"`
  ]
}
