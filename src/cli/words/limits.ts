import { limitName, type LimitScope } from "../../domain/Limit.ts"
import { format } from "../../domain/Usdc.ts"
import type { LimitReport, Limits } from "../../operator/reports/limits.ts"
import type { Look } from "./paint.ts"
import { table } from "./table.ts"
import { hang } from "./text.ts"

/** `ai-mint limits`, `limits set` and `limits remove`: what was done, and the limits that are set now. */
export const limitsWords = ({ command, scope, did, limits }: Limits, look: Look): ReadonlyArray<string> => {
  const now = limits.length === 0 ? ["There is no limit."] : limitTable(limits, look)
  return command === "limits" ? now : [...hang("", DID[command](nameOf(scope ?? "all"), did)), ...now]
}

const DID = {
  "limits set": (name: string, did: boolean) =>
    did ? `📏 Limited: ${name}. What exceeds it waits.` : `📏 Limited so already: ${name}.`,
  "limits remove": (name: string, did: boolean) => (did ? `📏 No limit any more: ${name}.` : `📏 Not limited: ${name}.`)
}

const nameOf = (scope: string): string => limitName(scope as LimitScope)

/** The limits, a line each; no line at all where there is none. */
export const limitTable = (limits: ReadonlyArray<LimitReport>, look: Look): ReadonlyArray<string> => {
  if (limits.length === 0) return []
  const columns = [
    { title: "limit for" },
    { title: "USDC a day", right: true },
    { title: "used", right: true },
    { title: "left", right: true },
    { title: "why" }
  ]
  const rows = limits.map(({ scope, perDay, used, left, reason }) => [
    nameOf(scope),
    format(perDay),
    format(used),
    format(left),
    reason
  ])
  return table({ columns, rows, wrapLast: true }, look.paint)
}
