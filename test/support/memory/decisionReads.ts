import { Result } from "effect"
import { readTask } from "../../../src/domain/Task.ts"
import type { Wallet, WalletId } from "../../../src/domain/Wallet.ts"
import { type Account, type DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { batchesOf, byText, isHeld, taskRow, taskState, walletOf, walletState } from "./state.ts"

const accountOf = (tables: Tables, wallet: Wallet): Account => {
  const { openedBlock, countedBlock, bookBalance, stoppedReason } = walletState(tables, wallet.id)
  const isOurs = ({ walletId }: { readonly walletId: WalletId }): boolean => walletId === wallet.id
  const batches = [...tables.batches.values()]
    .filter(isOurs)
    .toSorted((a, b) => byText(a.taskId, b.taskId) || a.number - b.number)
  const taskIds = new Set(batches.map(({ taskId }) => taskId))
  return {
    wallet,
    openedBlock,
    books: bookBalance === undefined ? undefined : { countedBlock: countedBlock ?? 0n, balance: bookBalance },
    stopped: stoppedReason,
    isShared: [...tables.tasks.values()].some(
      (task) => isOurs(task) && task.status === "processing" && batchesOf(tables, task.id).length === 0
    ),
    batches,
    mints: [...tables.mints.values()]
      .filter(({ taskId }) => taskIds.has(taskId))
      .toSorted((a, b) => byText(a.taskId, b.taskId) || a.mintNumber - b.mintNumber)
      .map(({ tx, part, taskId, batchNumber }) => ({ tx, part, taskId, batchNumber })),
    refunds: [...tables.refunds.values()]
      .filter(isOurs)
      .toSorted((a, b) => a.createdAtMs - b.createdAtMs || byText(a.id, b.id)),
    deposits: [...tables.deposits.values()].filter((deposit) => isOurs(deposit) && !deposit.isWithdrawn)
  }
}

export const decisionReads = {
  taskIdsLike: ({ read }) =>
    read((tables, start) =>
      [...tables.tasks.keys()]
        .filter((id) => id.startsWith(start.toLowerCase()))
        .toSorted(byText)
        .slice(0, 3)
    ),

  findTask: ({ read }) =>
    read((tables, id) => {
      const stored = tables.tasks.get(id)
      if (stored === undefined) return undefined
      const row = taskRow(tables, stored)
      const wallet = walletOf(tables, row.walletId)
      const task = readTask(row, wallet)
      return {
        row,
        wallet: Result.getOrUndefined(wallet),
        task: Result.getOrUndefined(task),
        faults: Result.isFailure(task) ? task.failure : [],
        held: isHeld(tables, id) ? (taskState(tables, id).heldReason ?? "") : undefined,
        batches: batchesOf(tables, id)
      }
    }),

  findWallets: ({ read }) =>
    read((tables, name) => {
      const wanted = name.trim().toLowerCase()
      return [...tables.wallets.values()]
        .filter(({ id, userAddress, agentAddress }) =>
          [id, userAddress.toLowerCase(), agentAddress.toLowerCase()].includes(wanted)
        )
        .toSorted((a, b) => byText(a.id, b.id))
        .map(({ id }) => ({ id, wallet: Result.getOrUndefined(walletOf(tables, id)) }))
    }),

  accounts: ({ read }) =>
    read((tables, { cursor, walletsMax }) => {
      const page = [...tables.wallets.keys()]
        .filter((id) => cursor === undefined || id > cursor)
        .toSorted(byText)
        .slice(0, walletsMax)
      return {
        accounts: page.flatMap((id) => {
          const wallet = walletOf(tables, id)
          return Result.isSuccess(wallet) ? [accountOf(tables, wallet.success)] : []
        }),
        cursor: page.length < walletsMax ? undefined : page.at(-1)
      }
    })
} satisfies Methods<DecisionRepo["Service"]>
