import { ChainError } from "../chain/ChainClient.ts"
import { LedgerError } from "../ledger/TaskRepo.ts"
import { databaseAdvice } from "./databaseAdvice.ts"

/** The last line of a run that could not go on: first what is wrong and what to do, then what was met. */
export const endWords = (failure: { readonly message: string }): string => {
  const advice = adviceFor(failure)
  return advice === undefined
    ? `AI Mint Executor cannot go on: ${failure.message}`
    : `${advice} AI Mint Executor cannot go on (${failure.message})`
}

const adviceFor = (failure: unknown): string | undefined => {
  if (failure instanceof LedgerError) {
    return databaseAdvice(failure.detail) ?? "The database does not do what is needed: run ai-mint doctor."
  }
  if (failure instanceof ChainError && failure.reason === "Unavailable") {
    return "No node of the RPC URLs answers: put nodes there that do, or repair the way to them; ai-mint doctor asks each."
  }
  return undefined
}
