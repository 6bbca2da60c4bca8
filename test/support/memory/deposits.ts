import type { DepositUse } from "../../../src/domain/Deposit.ts"
import { sum, usdc } from "../../../src/domain/Usdc.ts"
import { type FoundDeposit, type TaskRepo, placeKey } from "../../../src/ledger/TaskRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { byText, setWallet, walletState } from "./state.ts"

/** Whether the deposit is new, or back on chain. One that is known is brought up to where it is now. */
const recordOne = (draft: Tables, deposit: FoundDeposit, found: ReadonlyArray<FoundDeposit>): boolean => {
  const nth = found.filter((other) => isSame(other, deposit) && other.logIndex < deposit.logIndex).length
  const known = [...draft.deposits]
    .filter(([, row]) => isSame(row, deposit))
    .toSorted(([, a], [, b]) => a.logIndex - b.logIndex)[nth]
  if (known === undefined) {
    const logIndex = freeIndex(draft, deposit, found)
    draft.deposits.set(placeKey({ ...deposit, logIndex }), {
      ...deposit,
      logIndex,
      left: deposit.amount,
      isWithdrawn: false
    })
    return true
  }
  const [key, row] = known
  const opened = walletState(draft, row.walletId).openedBlock
  const isBooked = (number: bigint) => opened !== undefined && number > opened
  const stays = !row.isWithdrawn && isBooked(row.block.number) !== isBooked(deposit.block.number)
  if (!stays) draft.deposits.set(key, { ...row, block: deposit.block, isWithdrawn: false })
  return row.isWithdrawn
}

const isSame = (a: FoundDeposit, b: FoundDeposit): boolean =>
  a.tx === b.tx && a.walletId === b.walletId && a.from === b.from && a.amount === b.amount

/** The index under which a deposit is kept: the one that it was seen under, where no other deposit has it. */
const freeIndex = (draft: Tables, deposit: FoundDeposit, found: ReadonlyArray<FoundDeposit>): number => {
  if (!draft.deposits.has(placeKey(deposit))) return deposit.logIndex
  const ofTx = [...draft.deposits.values(), ...found].filter(({ tx }) => tx === deposit.tx)
  return ofTx.reduce((most, { logIndex }) => Math.max(most, logIndex), 0) + 1 + deposit.logIndex
}

/** Takes what orders and refunds are paid with from the deposits. */
export const useDeposits = (draft: Tables, uses: ReadonlyArray<DepositUse>): void => {
  for (const use of uses) {
    const deposit = draft.deposits.get(placeKey(use))
    if (deposit === undefined || deposit.isWithdrawn || deposit.left < use.amount) continue
    draft.deposits.set(placeKey(use), { ...deposit, left: usdc(deposit.left - use.amount) })
  }
}

export const deposits = {
  unspentDeposits: ({ read }) =>
    read((tables, walletIds) =>
      [...tables.deposits.values()]
        .filter(({ walletId, left, isWithdrawn }) => left > 0n && !isWithdrawn && walletIds.includes(walletId))
        .toSorted((a, b) => Number(a.block.number - b.block.number) || byText(a.tx, b.tx) || a.logIndex - b.logIndex)
    ),

  knownNonces: ({ read }) =>
    read((tables, nonces) => {
      const known = new Set([...tables.batches.values(), ...tables.refunds.values()].map(({ nonce }) => nonce))
      return new Set(nonces.filter((nonce) => known.has(nonce)))
    }),

  /** The twin of `recordDeposits` of the SQL side, where the rules are told. */
  recordDeposits: ({ transact }) =>
    transact((draft, found, counted, block) => {
      const distinct = [...new Map(found.map((deposit) => [placeKey(deposit), deposit])).values()].toSorted(
        (a, b) => byText(a.tx, b.tx) || a.logIndex - b.logIndex
      )
      const arrived = distinct.filter((deposit) => recordOne(draft, deposit, distinct))
      const each = new Map(counted.map((wallet) => [wallet.walletId, wallet]))
      for (const { walletId, version, balance, isWhole } of each.values()) {
        const state = walletState(draft, walletId)
        const isAsRead = state.version === version
        const opens = state.openedBlock === undefined && isAsRead && state.provenBlock <= block.number
        const openedBlock = opens ? block.number : state.openedBlock
        const since = arrived.filter(
          (deposit) => deposit.walletId === walletId && openedBlock !== undefined && deposit.block.number > openedBlock
        )
        const moves = isWhole && isAsRead && openedBlock !== undefined && block.number > (state.countedBlock ?? -1n)
        const seen = distinct.filter((deposit) => deposit.walletId === walletId).map((deposit) => deposit.block.number)
        setWallet(draft, walletId, {
          openedBlock,
          countedBlock: moves ? block.number : state.countedBlock,
          bookBalance: opens
            ? balance
            : state.bookBalance === undefined
              ? undefined
              : state.bookBalance + sum(since.map(({ amount }) => amount)),
          provenBlock: seen.reduce((newest, number) => (number > newest ? number : newest), state.provenBlock)
        })
      }
      return arrived
    })
} satisfies Methods<TaskRepo["Service"]>
