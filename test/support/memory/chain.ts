import { revivePayIns } from "./payIns.ts"
import { sum } from "../../../src/domain/Usdc.ts"
import { CODE_DECISION, type CodeLook, type TaskRepo, codeChanged, placeKey } from "../../../src/ledger/TaskRepo.ts"
import { type Methods, type Tables, batchKey } from "./MemoryLedger.ts"
import { setWallet, walletState } from "./state.ts"

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

const USDC_CODE = "usdc_code"

/** The code that was there before, where it was another one. */
const noteCode = (draft: Tables, { code, isSure }: CodeLook, nowMs: number): string | undefined => {
  const before = draft.network.get(USDC_CODE)
  if (before === code) return undefined
  if (before !== undefined && !isSure) return before
  draft.network.set(USDC_CODE, code)
  if (before === undefined) return undefined
  const why = codeChanged(before, code)
  const paused = draft.pauses.get("all")
  const reason = paused === undefined ? why : `${paused.reason}; ${why}`
  draft.pauses.set("all", { scope: "all", sinceMs: nowMs, ...paused, reason })
  draft.decisions.push({ ...CODE_DECISION, why, decidedAtMs: nowMs, taskId: undefined, walletId: undefined })
  return before
}

export const chain = {
  anchors: ({ read }) => read((tables) => [...tables.anchors.values()].toSorted((a, b) => Number(b.block - a.block)))(),

  addAnchor: ({ transact }) =>
    transact((draft, anchor, superfluous) => {
      for (const block of superfluous) if (block !== anchor.block) draft.anchors.delete(block)
      const hash = draft.anchors.get(anchor.block)?.hash ?? anchor.hash
      if (hash === anchor.hash) draft.anchors.set(anchor.block, { ...anchor, isProof: false })
    }),

  noteProofs: ({ transact }) =>
    transact((draft, blocks) => {
      for (const { block, hash } of blocks) {
        if (!draft.anchors.has(block)) draft.anchors.set(block, { block, hash, isProof: true })
      }
    }),

  recordedAbove: ({ read }) =>
    read((tables, fork) => {
      const batches = [...tables.batches.values()]
      const isAbove = (block: bigint | undefined): boolean => block !== undefined && block > fork
      return {
        payments: batches
          .filter(({ paymentTx, paymentBlock }) => paymentTx !== undefined && isAbove(paymentBlock))
          .map((batch) => ({ batch, isCompleted: tables.tasks.get(batch.taskId)?.status === "completed" })),
        refunds: [...tables.refunds.values()].filter(
          ({ status, paymentBlock }) => status === "paid" && isAbove(paymentBlock)
        ),
        deposits: [...tables.deposits.values()].filter(
          ({ block, isWithdrawn }) => !isWithdrawn && isAbove(block.number)
        ),
        minted: batches.flatMap((batch) => {
          const mints = [...tables.mints].filter(
            ([, { taskId, batchNumber, block }]) =>
              taskId === batch.taskId && batchNumber === batch.number && isAbove(block ?? batch.paymentBlock)
          )
          return mints.length === 0 ? [] : [{ batch, mints: mints.map(([, { tx, part }]) => ({ tx, part })) }]
        })
      }
    }),

  /** The twin of `rewind` of the SQL side. */
  rewind: ({ transact }) =>
    transact((draft, fork) => {
      for (const [id, { version, openedBlock, countedBlock }] of draft.walletStates) {
        const opensAnew = openedBlock !== undefined && openedBlock > fork
        if (!opensAnew && (countedBlock === undefined || countedBlock <= fork)) continue
        const books = opensAnew
          ? { openedBlock: undefined, countedBlock: undefined, bookBalance: undefined }
          : { countedBlock: fork }
        setWallet(draft, id, { version: version + 1n, ...books })
      }
      for (const batch of draft.batches.values()) {
        const { window, asked } = batch
        if ((window?.block ?? 0n) <= fork && (asked?.since ?? 0n) <= fork) continue
        draft.batches.set(batchKey(batch), {
          ...batch,
          version: batch.version + 1,
          window: window && { ...window, block: least(window.block, fork) },
          asked: asked && { ...asked, since: least(asked.since, fork) }
        })
      }
      for (const refund of draft.refunds.values()) {
        if (refund.window === undefined || refund.window.block <= fork) continue
        const window = { ...refund.window, block: fork }
        draft.refunds.set(refund.id, { ...refund, version: refund.version + 1, window })
      }
      revivePayIns(draft, fork)
    }),

  withdrawDeposits: ({ transact }) =>
    transact((draft, gone) => {
      const missing = gone.filter(({ walletId, balance }) => {
        const { bookBalance } = walletState(draft, walletId)
        return bookBalance === undefined || bookBalance > balance
      })
      const withdrawn = missing.filter((deposit) => {
        const row = draft.deposits.get(placeKey(deposit))
        if (row === undefined || row.isWithdrawn || row.block.number !== deposit.block.number) return false
        draft.deposits.set(placeKey(deposit), { ...row, isWithdrawn: true })
        return true
      })
      for (const [walletId, deposits] of Map.groupBy(withdrawn, (deposit) => deposit.walletId)) {
        const { version, openedBlock, bookBalance } = walletState(draft, walletId)
        const booked = deposits.filter(({ block }) => openedBlock !== undefined && block.number > openedBlock)
        const left = bookBalance === undefined ? undefined : bookBalance - sum(booked.map(({ amount }) => amount))
        setWallet(draft, walletId, { version: version + 1n, bookBalance: left })
      }
      return withdrawn
    }),

  endReorganisation: ({ transact }) =>
    transact((draft, { fork }) => {
      for (const block of draft.anchors.keys()) if (block > fork) draft.anchors.delete(block)
    }),

  noteUsdcCode: ({ transact }) =>
    transact((draft, look, nowMs) => ({ before: noteCode(draft, look, nowMs), databaseMs: undefined }))
} satisfies Methods<TaskRepo["Service"]>
