import type { PauseReport, Paused } from "../../operator/reports/wallets.ts"
import type { Look } from "./paint.ts"
import { table } from "./table.ts"
import { hang, utc } from "./text.ts"

/** `ai-mint pause`, `resume` and `pauses`: what was done, and what is paused now. */
export const pausedWords = ({ command, scope, did, pauses }: Paused, look: Look): ReadonlyArray<string> => {
  const now = pauses.length === 0 ? ["Nothing is paused."] : pauseTable(pauses, look)
  return command === "pauses" ? now : [...hang("", DID[command](pausedScope(scope ?? "all"), did)), ...now]
}

const DID = {
  pause: (name: string, did: boolean) =>
    did
      ? `⏸️ Paused: ${name}. No new payment is signed; what is on its way is followed.`
      : `⏸️ Paused already: ${name}.`,
  resume: (name: string, did: boolean) => (did ? `▶️ Payments go on: ${name}.` : `▶️ Not paused: ${name}.`)
}

const pausedScope = (scope: string): string => {
  if (scope === "all") return "all orders"
  const [kind = "", id = ""] = scope.split(":")
  return `${kind} ${id}`
}

/** What is paused, a line each; no line at all where nothing is. */
export const pauseTable = (pauses: ReadonlyArray<PauseReport>, look: Look): ReadonlyArray<string> => {
  if (pauses.length === 0) return []
  const columns = [{ title: "paused" }, { title: "since" }, { title: "why" }]
  const rows = pauses.map(({ scope, since, reason }) => [pausedScope(scope), utc(since), reason])
  return table({ columns, rows, wrapLast: true }, look.paint)
}
