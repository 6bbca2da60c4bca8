import { Redacted } from "effect"
import { QUOTES_MAX } from "../../../src/domain/Quote.ts"
import type { Decision, DecisionRepo, NewOrder } from "../../../src/ledger/DecisionRepo.ts"
import type { Methods, Tables } from "./MemoryLedger.ts"
import { note } from "./notes.ts"

/** Whether an order may be placed with its quote, which is used from then on. */
export const useQuote = (draft: Tables, { id, quoteId }: NewOrder, nowMs: number): boolean => {
  if (quoteId === undefined) return true
  const quote = draft.quotes.get(quoteId)
  if (quote === undefined || quote.taskId !== undefined || quote.expiresAtMs <= nowMs) return false
  draft.quotes.set(quoteId, { ...quote, taskId: id })
  return true
}

export const quotes = {
  saveQuote: ({ transact }) =>
    transact((draft, quote) => {
      const open = [...draft.quotes.values()].filter(
        ({ keyId, taskId, expiresAtMs }) =>
          keyId === quote.keyId && taskId === undefined && expiresAtMs > quote.createdAtMs
      )
      if (open.length >= QUOTES_MAX) return false
      draft.quotes.set(quote.id, quote)
      return true
    }),

  findQuote: ({ read }) => read((tables, id) => tables.quotes.get(id)),

  createWallet: ({ attempt }) =>
    attempt((draft, { id, userAddress, agentAddress, encryptedPrivateKey }, decision: Decision, nowMs) => {
      const isTaken = [...draft.wallets.values()].some((wallet) =>
        [wallet.userAddress.toLowerCase(), wallet.agentAddress.toLowerCase()].includes(userAddress)
      )
      if (isTaken) return false
      const row = { id, userAddress, agentAddress, encryptedPrivateKey: Redacted.value(encryptedPrivateKey) }
      draft.wallets.set(id, row)
      note(draft, decision, { walletId: id }, nowMs)
      return true
    })
} satisfies Methods<DecisionRepo["Service"]>
