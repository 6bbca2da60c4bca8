import type { WalletId } from "../../../src/domain/Wallet.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import type { Oracle } from "./Oracle.ts"

/** I10: while a pause covers it, or its wallet is stopped, nothing new is signed. */
export const checkMayPay = (oracle: Oracle, name: string, tables: Tables, walletId: WalletId, token?: string): void => {
  const { pauses, walletStates } = tables
  const isPaused = pauses.has("all") || pauses.has(`wallet:${walletId}`) || pauses.has(`token:${token}` as "all")
  if (isPaused) oracle.report("I10", `${name} is signed while an operator has paused it`)
  const stopped = walletStates.get(walletId)?.stoppedReason
  if (stopped !== undefined) oracle.report("I10", `${name} is signed by a wallet that is stopped: ${stopped}`)
}
