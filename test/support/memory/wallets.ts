import { Result } from "effect"
import { parse } from "../../../src/domain/Address.ts"
import { messages } from "../../../src/domain/Task.ts"
import { type WalletId, identityFault } from "../../../src/domain/Wallet.ts"
import { type StoppedWallet, type TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { byText, isStopped, setTask, setWallet, walletOf, walletState } from "./state.ts"

/** The twin of `identities` of the SQL side: another row with the account that was noted of this one. */
export const twinOf = (tables: Tables, id: WalletId): WalletId | undefined => {
  const agent = tables.pins.get(id)?.agentAddress
  return [...tables.pins]
    .filter(([other, pin]) => other !== id && pin.agentAddress === agent && tables.wallets.has(other))
    .map(([other]) => other)
    .toSorted(byText)[0]
}

/** Why money of a wallet may not be moved, whatever its row says. */
export const faultOf = (tables: Tables, id: WalletId, twin = twinOf(tables, id)): string | undefined => {
  const row = tables.wallets.get(id)
  if (row === undefined || parse(row.userAddress) === undefined || parse(row.agentAddress) === undefined)
    return undefined
  return identityFault({ ...row, pinned: tables.pins.get(id), twin })
}

const stop = (draft: Tables, walletId: WalletId, reason: string, nowMs: number): void => {
  setWallet(draft, walletId, { version: walletState(draft, walletId).version + 1n, stoppedReason: reason })
  for (const { id, walletId: of, status } of draft.tasks.values()) {
    const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
    if (of === walletId && isOpen) setTask(draft, id, { errorMessage: messages.stopped(reason), updatedAtMs: nowMs })
  }
}

export const wallets = {
  /** The twin of `checkWallets` of the SQL side. Wallets are noted as they are inserted. */
  checkWallets: ({ transact }) =>
    transact((draft, nowMs) => {
      const stopped: Array<StoppedWallet> = []
      for (const { id, userAddress, agentAddress } of [...draft.wallets.values()].toSorted((a, b) =>
        byText(a.id, b.id)
      )) {
        const pinned = draft.pins.get(id)
        if (pinned === undefined || isStopped(draft, id)) continue
        const account = agentAddress.toLowerCase()
        const others = [...draft.wallets.values()].filter((other) => other.agentAddress.toLowerCase() === account)
        const ids = others.map((other) => other.id).toSorted(byText)
        const [first, last] = [ids[0], ids.at(-1)]
        const twin = ids.length < 2 ? undefined : first === id ? last : first
        const reason = identityFault({ userAddress, agentAddress, pinned, twin })
        if (reason === undefined) continue
        stop(draft, id, reason, nowMs)
        stopped.push({ walletId: id, agentAddress: pinned.agentAddress, reason })
      }
      return stopped
    }),

  stopWallet: ({ attempt }) =>
    attempt((draft, stop, nowMs) => {
      const { version, stoppedReason } = walletState(draft, stop.walletId)
      if (version !== stop.version || stoppedReason !== undefined) return false
      setWallet(draft, stop.walletId, { version: version + 1n, stoppedReason: stop.reason })
      for (const { id, walletId, status } of draft.tasks.values()) {
        const isOpen = status === "pending_payment" || status === "funded" || status === "processing"
        if (walletId !== stop.walletId || !isOpen) continue
        setTask(draft, id, { errorMessage: messages.stopped(stop.reason), updatedAtMs: nowMs })
      }
      return true
    }),

  sampleWallets: ({ read }) =>
    read((tables, count) =>
      [...tables.wallets.keys()]
        .slice(0, count)
        .flatMap((id) => Result.match(walletOf(tables, id), { onSuccess: (wallet) => [wallet], onFailure: () => [] }))
    )
} satisfies Methods<TaskRepo["Service"]>
