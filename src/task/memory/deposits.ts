import type { Bytes32 } from "../../domain/Address.ts"
import type { Block } from "../../domain/Block.ts"
import type { DepositUse } from "../../domain/Deposit.ts"
import { messages } from "../../domain/Task.ts"
import { sum, usdc } from "../../domain/Usdc.ts"
import type { WalletId } from "../../domain/Wallet.ts"
import type { StoredDeposit, Tables } from "../MemoryLedger.ts"
import { type CountedWallet, type FoundDeposit, placeKey } from "../TaskRepo.ts"
import { byText, setTask, setWallet, walletState } from "./state.ts"

export const unspentDeposits = (tables: Tables, walletIds: ReadonlyArray<WalletId>): ReadonlyArray<StoredDeposit> =>
  [...tables.deposits.values()]
    .filter(({ walletId, left }) => left > 0n && walletIds.includes(walletId))
    .toSorted((a, b) => Number(a.block.number - b.block.number) || byText(a.tx, b.tx) || a.logIndex - b.logIndex)

export const knownNonces = (tables: Tables, nonces: ReadonlyArray<Bytes32>): ReadonlySet<Bytes32> => {
  const known = new Set([...tables.batches.values(), ...tables.refunds.values()].map(({ nonce }) => nonce))
  return new Set(nonces.filter((nonce) => known.has(nonce)))
}

export const recordDeposits = (
  draft: Tables,
  found: ReadonlyArray<FoundDeposit>,
  counted: ReadonlyArray<CountedWallet>,
  block: Block
): ReadonlyArray<FoundDeposit> => {
  const fresh = found.filter((deposit) => !draft.deposits.has(placeKey(deposit)))
  for (const deposit of fresh) draft.deposits.set(placeKey(deposit), { ...deposit, left: deposit.amount })
  for (const { walletId, balance, isWhole } of counted) {
    const { openedBlock, countedBlock, bookBalance } = walletState(draft, walletId)
    const opened = openedBlock ?? block.number
    const since = fresh.filter((deposit) => deposit.walletId === walletId && deposit.block.number > opened)
    const reached = isWhole && block.number > (countedBlock ?? -1n) ? block.number : countedBlock
    const bookedBefore = bookBalance === undefined ? undefined : bookBalance + sum(since.map(({ amount }) => amount))
    setWallet(draft, walletId, { openedBlock: opened, countedBlock: reached, bookBalance: bookedBefore ?? balance })
  }
  return fresh
}

export const stopWallet = (
  draft: Tables,
  stop: { readonly walletId: WalletId; readonly version: bigint; readonly reason: string },
  nowMs: number
): boolean => {
  const { version, stoppedReason } = walletState(draft, stop.walletId)
  if (version !== stop.version || stoppedReason !== undefined) return false
  setWallet(draft, stop.walletId, { version: version + 1n, stoppedReason: stop.reason })
  for (const { id, walletId, status } of draft.tasks.values()) {
    const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
    if (walletId !== stop.walletId || !isOpen) continue
    setTask(draft, id, { errorMessage: messages.stopped(stop.reason), updatedAtMs: nowMs })
  }
  return true
}

/** Takes what orders and refunds are paid with from the deposits. */
export const useDeposits = (draft: Tables, uses: ReadonlyArray<DepositUse>): void => {
  for (const use of uses) {
    const deposit = draft.deposits.get(placeKey(use))
    if (deposit === undefined || deposit.left < use.amount) continue
    draft.deposits.set(placeKey(use), { ...deposit, left: usdc(deposit.left - use.amount) })
  }
}
