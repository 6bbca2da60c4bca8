import type { StatusJson } from "../../operator/reports/status.ts"
import { el } from "../dom.ts"
import { count, dayOfYear, usdc } from "../format.ts"
import { stateChip } from "./components.ts"

interface Line {
  readonly state: string
  readonly count: number
  readonly amount: bigint
}

const TASK_STATES = ["pending_payment", "funded", "processing", "completed", "failed", "cancelled"]

const total = (lines: ReadonlyArray<Omit<Line, "state">>, state: string): Line => ({
  state,
  count: lines.reduce((sum, line) => sum + line.count, 0),
  amount: lines.reduce((sum, line) => sum + line.amount, 0n)
})

const table = (name: string, what: string, lines: ReadonlyArray<Line>): HTMLElement =>
  el(
    "table",
    { class: "totals", "aria-label": name },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["State", what, "USDC"].map((head) => el("th", { scope: "col" }, head))
      )
    ),
    el(
      "tbody",
      {},
      lines.map((line) =>
        el(
          "tr",
          { "data-key": line.state, "data-none": line.count === 0 },
          el("th", { scope: "row" }, stateChip(line.state)),
          el("td", {}, count(line.count)),
          el("td", {}, usdc(String(line.amount)))
        )
      )
    )
  )

/** Orders by status, and those of them that are held. */
export const orderTotals = ({ tasks }: StatusJson): HTMLElement => {
  const rows = tasks.map(({ cost, ...task }) => ({ ...task, amount: BigInt(cost) }))
  return table("Orders by state", "Orders", [
    ...TASK_STATES.map((state) =>
      total(
        rows.filter(({ status }) => status === state),
        state
      )
    ),
    total(
      rows.filter(({ held }) => held),
      "held"
    )
  ])
}

const BATCH_STATES = ["planned", "signed", "accepted", "unknown", "paid", "delivered", "held", "resolved"]

/** Payments by status. */
export const paymentTotals = ({ batches }: StatusJson): HTMLElement => {
  const rows = batches.map(({ status, count, amount }) => ({ status, count, amount: BigInt(amount) }))
  return table(
    "Payments by state",
    "Payments",
    BATCH_STATES.map((state) =>
      total(
        rows.filter(({ status }) => status === state),
        state
      )
    )
  )
}

const tile = (name: string, amount: string, note: string): HTMLElement =>
  el(
    "div",
    { class: "tile" },
    el("dt", {}, name),
    el("dd", {}, el("span", { class: "big" }, usdc(amount)), el("span", { class: "unit" }, " USDC")),
    el("dd", { class: "muted" }, note)
  )

/** What the sums leave out, where v1.1 was at work before. */
const since = (began: string): HTMLElement =>
  el(
    "div",
    { class: "tile", "data-key": "since" },
    el("dt", {}, "Since"),
    el("dd", {}, dayOfYear(Date.parse(began))),
    el("dd", { class: "muted" }, "what v1.1 paid before is not in these sums")
  )

/** The money of all wallets since the ledger was opened. */
export const moneyTiles = ({ money, moneySince }: StatusJson): ReadonlyArray<HTMLElement> => [
  tile("Deposited", money.deposited, "arrived in agent wallets"),
  tile("Paid", money.paid, "to mint servers, by the chain"),
  tile("Refunded", money.refunded, "sent back to users"),
  tile("Credit", money.credit, "free, and the users' own"),
  ...(moneySince === null ? [] : [since(moneySince)])
]
