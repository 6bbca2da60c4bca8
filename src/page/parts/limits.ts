import type { StatusJson } from "../../operator/reports/status.ts"
import { type Child, el } from "../dom.ts"
import { shortId, usdc } from "../format.ts"
import { cardRow } from "./cards.ts"
import { ago, command, shortened, table } from "./components.ts"

type LimitJson = StatusJson["limits"][number]

const HEADS = ["Limit", "Signed in 24 hours", "Left", "Per day", "Why", "Since"]

/** Less than a tenth is left. */
const isNearlyUsed = ({ left, perDay }: LimitJson): boolean => BigInt(left) * 10n < BigInt(perDay)

const SCOPES: Readonly<Record<string, string>> = { token: "Token", user: "User", key: "Key" }

const scopeOf = (scope: string): Child => {
  const [kind = "", name = ""] = scope.split(":")
  if (name === "") return el("strong", {}, "All payments")
  const what =
    kind === "key" ? el("span", { class: "mono", title: name }, shortId(name)) : shortened(name, `the ${kind}`)
  return [`${SCOPES[kind] ?? kind} `, what]
}

/** Parts of a thousand: a `progress` cannot hold amounts of every size. */
const share = ({ used, perDay }: LimitJson): number =>
  BigInt(perDay) === 0n ? 1000 : Number((BigInt(used) * 1000n) / BigInt(perDay))

const meter = (limit: LimitJson): HTMLElement =>
  el(
    "span",
    { class: "meter", "data-urgent": isNearlyUsed(limit) },
    el("progress", { max: 1000, value: Math.min(1000, share(limit)), "aria-label": `${usdc(limit.used)} USDC signed` }),
    el("span", { class: "meter-text" }, usdc(limit.used))
  )

const row = (limit: LimitJson, nowMs: number): HTMLElement =>
  cardRow(HEADS, limit.scope, [
    scopeOf(limit.scope),
    meter(limit),
    el("span", { class: isNearlyUsed(limit) ? "amount bad" : "amount" }, usdc(limit.left)),
    usdc(limit.perDay),
    limit.reason,
    ago(limit.since, nowMs)
  ])

/** What may be signed for in a day, and what of it is left. */
export const limits = ({ limits: set }: StatusJson, nowMs: number): HTMLElement =>
  set.length === 0
    ? el(
        "p",
        { class: "calm", "data-key": "none" },
        "No limit is set. ",
        command('limits set --per-day 5000 --why "…"')
      )
    : table({ name: "Limits", style: "card limits", heads: HEADS, rows: set.map((limit) => row(limit, nowMs)) })
