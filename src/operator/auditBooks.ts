import { placeKey } from "../task/TaskRepo.ts"
import { format, sum } from "../domain/Usdc.ts"
import type { Account } from "../task/DecisionRepo.ts"
import { type ChainView, type Finding, isInBooks } from "./audit.ts"
import { claimsOf } from "./auditPayments.ts"

/** Deposits since the books were opened are recorded, and no others; and the books add up to the balance. */
export const auditBooks = (account: Account, view: ChainView): Finding => {
  const { books } = account
  const wallet = account.wallet.agentAddress
  const arrived = (view.deposits.get(wallet) ?? []).filter(({ block }) => isInBooks(account, block.number))
  const recorded = account.deposits.filter(
    ({ block }) =>
      isInBooks(account, block.number) && block.number >= view.fromBlock && block.number <= view.block.number
  )
  if (books === undefined) return { totals: {}, differences: [] }
  const [known, onChain] = [new Set(account.deposits.map(placeKey)), new Set(arrived.map(placeKey))]
  const unknown = arrived.filter((deposit) => !known.has(placeKey(deposit)))
  const lost = unknown.filter(({ block }) => block.number <= books.countedBlock)
  const invented = recorded.filter((deposit) => !onChain.has(placeKey(deposit)))
  const said = [
    ...lost.map(
      ({ amount, tx }) =>
        `${format(amount)} USDC came in ${tx}, and the ledger has counted past it: tell whoever keeps this program`
    ),
    ...invented.map(
      ({ amount, tx }) => `${format(amount)} USDC came in ${tx} says the ledger, and the chain shows no such transfer`
    ),
    ...unevenBy(account, view, sum(unknown.map(({ amount }) => amount)))
  ]
  return {
    totals: { deposits: recorded.length - invented.length, uncounted: unknown.length - lost.length },
    differences: said.map((what) => ({ wallet, what }))
  }
}

/**
 * Books that are not what the chain shows, though all is allowed for that is told elsewhere: deposits that are not
 * recorded, transfers that are not proven yet or that nobody explains, and what happened after this block.
 */
const unevenBy = (account: Account, view: ChainView, unrecorded: bigint): ReadonlyArray<string> => {
  const { wallet, books } = account
  const balance = view.balances.get(wallet.agentAddress)
  if (books === undefined || balance === undefined) return []
  const booked = new Set(claimsOf(account).flatMap(({ paid }) => paid?.tx ?? []))
  const unbooked = (view.spending.get(wallet.agentAddress) ?? []).filter(
    ({ tx, block }) => isInBooks(account, block) && !booked.has(tx)
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
