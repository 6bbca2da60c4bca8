import type { LedgerEvent } from "../ledger/WatchRepo.ts"
import type { EventReport } from "./reports/status.ts"

export const eventReport = (event: LedgerEvent): EventReport => ({
  id: event.id,
  at: event.atMs,
  kind: event.kind,
  taskId: event.taskId,
  walletId: event.walletId,
  batch: event.batch,
  detail: event.detail
})
