import type { KeyList, KeyMade, KeyReport, KeyRevoked } from "../../operator/reports/keys.ts"
import type { Look } from "./paint.ts"
import { table } from "./table.ts"
import { shortAddress, utc } from "./text.ts"

export const keyMadeWords = ({ key, secret }: KeyMade): ReadonlyArray<string> => [
  `🔑 Key ${key.name}: ${key.scopes.join(", ")}${key.user === undefined ? "" : `, for ${key.user} only`}${untilOf(key)}`,
  `   ${secret}`,
  "   Keep it now: it is not shown again. It is sent as `Authorization: Bearer <key>`"
]

const untilOf = ({ expiresAt }: KeyReport): string => (expiresAt === undefined ? "" : `, until ${utc(expiresAt)}`)

export const keyListWords = ({ keys }: KeyList, look: Look): ReadonlyArray<string> => {
  if (keys.length === 0) return ["There is no key: ai-mint keys create makes one."]
  const titles = ["key", "state", "until", "made", "for", "may"]
  const rows = keys.map(({ name, state, expiresAt, createdAt, user, scopes }) => [
    name,
    state,
    expiresAt === undefined ? "-" : utc(expiresAt),
    utc(createdAt),
    user === undefined ? "all" : shortAddress(user),
    scopes.join(", ")
  ])
  return table({ columns: titles.map((title) => ({ title })), rows, wrapLast: true }, look.paint)
}

export const keyRevokedWords = ({ key, did }: KeyRevoked): ReadonlyArray<string> => [
  did ? `🔑 Key ${key.name} is revoked, and opens nothing from now on` : `🔑 Key ${key.name} was revoked before`
]
