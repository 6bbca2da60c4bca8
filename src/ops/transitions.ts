import type { Effect } from "effect"
import type { LedgerEvent } from "../ledger/WatchRepo.ts"
import { countTransitions } from "./metrics.ts"

/** What an event of the ledger is to the counters. `task.funded`: one task more that was funded. */
export const countEvent = ({ kind, batch, detail }: LedgerEvent): Effect.Effect<void> => {
  const [entity = "", to = ""] = kind.split(".")
  if (kind === "task.created") return countTransitions("task", String(detail["status"]), 1)
  // A plan, or what was found on the chain: all batches of it are one event.
  const count = entity === "batch" && batch === undefined ? Number(detail["batches"] ?? 1) : 1
  return countTransitions(entity, to, count)
}
