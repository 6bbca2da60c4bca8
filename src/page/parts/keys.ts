import type { Card, KeyJson } from "../cards.ts"
import { type Child, el } from "../dom.ts"
import { count, day, shortId } from "../format.ts"
import { card, cardRow } from "./cards.ts"
import { ago, command, shortened, stateChip, table } from "./components.ts"

const HEADS = ["Key", "State", "May", "For", "Made", "Until"]

/** Those that still open something come first. */
const SHOWN_MAX = 50

const until = ({ expiresAt, revokedAt }: KeyJson): string =>
  revokedAt !== null
    ? `revoked ${day(Date.parse(revokedAt))}`
    : expiresAt === null
      ? "no end"
      : day(Date.parse(expiresAt))

const row = (key: KeyJson, nowMs: number): HTMLElement =>
  cardRow(HEADS, key.id, [
    [el("strong", {}, key.name), " ", el("span", { class: "mono muted", title: key.id }, shortId(key.id))],
    stateChip(key.state),
    key.scopes.join(", "),
    key.user === null ? "all persons" : shortened(key.user, "the person's address"),
    [ago(key.createdAt, nowMs), el("span", { class: "muted" }, ` by ${key.createdBy}`)],
    until(key)
  ])

const shown = (keys: ReadonlyArray<KeyJson>, nowMs: number): ReadonlyArray<Child> => {
  if (keys.length === 0) {
    return [
      el(
        "p",
        { class: "calm", "data-key": "none" },
        "There is no key. ",
        command("keys create --name shop --scope orders:create,orders:read")
      )
    ]
  }
  const sorted = keys.toSorted((a, b) => Number(a.state !== "active") - Number(b.state !== "active"))
  return [
    table({
      name: "Keys",
      style: "card",
      heads: HEADS,
      rows: sorted.slice(0, SHOWN_MAX).map((key) => row(key, nowMs))
    }),
    keys.length > SHOWN_MAX
      ? el("p", { class: "muted", "data-key": "more" }, `and ${count(keys.length - SHOWN_MAX)} more`)
      : null
  ]
}

/** The keys of programs and agents. Their secrets are in no answer of the executor. */
export const keys = (of: Card<ReadonlyArray<KeyJson>>, nowMs: number): ReadonlyArray<Child> =>
  card(of, (value) => shown(value, nowMs))
