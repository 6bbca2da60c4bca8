import { counted } from "../../domain/text.ts"
import type { Check } from "../../proof/Check.ts"
import type { Verdict } from "../../proof/verify.ts"

const ICONS = { holds: "✅", false: "❌", unknown: "⚠️" } as const

const checkWords = ({ what, result, why }: Check): string =>
  `${ICONS[result]} ${what}${why === undefined ? "" : `: ${why}`}`

const endings = {
  holds: "✅ All that a chain can show holds",
  false: "❌ The proof is false",
  unknown: "⚠️ Nothing is false, and not everything could be looked at"
} as const

export const verdictWords = ({ taskId, result, checks, notChecked }: Verdict): ReadonlyArray<string> => [
  `🔎 Proof of order ${taskId}: ${counted(checks.length, "check")}`,
  ...checks.map(checkWords),
  "Not checked, as no chain shows it:",
  ...notChecked.map((text) => `   ${text}`),
  endings[result]
]
