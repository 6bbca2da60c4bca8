import type { ExplanationJson } from "../../operator/reports/tasks.ts"
import { type Child, el } from "../dom.ts"
import { usdc } from "../format.ts"
import { clockTime, stateChip, table, transaction, transactions } from "./components.ts"

type Batch = ExplanationJson["batches"][number]

const HEADS = ["Batch", "State", "Mints", "USDC", "Payment", "Minted in"]

/** What was paid; else the most that it may cost. */
const cost = ({ paidAmount, amount }: Batch): Child =>
  paidAmount === null ? [el("span", { class: "muted" }, "≤ "), usdc(amount)] : usdc(paidAmount)

const state = ({ status, validBefore, paymentTx }: Batch): Child => [
  stateChip(status),
  validBefore === null || paymentTx !== null || status === "planned"
    ? null
    : el("span", { class: "muted" }, " until ", clockTime(validBefore))
]

const cellsOf = (batch: Batch, explorer: string | null): ReadonlyArray<Child> => [
  batch.number,
  state(batch),
  `${batch.minted}/${batch.quantity}`,
  cost(batch),
  batch.paymentTx === null ? "" : transaction(batch.paymentTx, explorer),
  batch.mintTxs.length === 0 ? "" : transactions(batch.mintTxs, explorer)
]

const rows = (batch: Batch, explorer: string | null): ReadonlyArray<HTMLElement> => [
  el(
    "tr",
    { role: "row", "data-key": batch.number },
    cellsOf(batch, explorer).map((cell, index) => el("td", { role: "cell", "data-head": HEADS[index] ?? "" }, cell))
  ),
  ...(batch.reason === null
    ? []
    : [
        el(
          "tr",
          { class: "reason", role: "row", "data-key": `${batch.number} reason` },
          el("td", { role: "cell", colspan: HEADS.length }, batch.reason)
        )
      ])
]

/** The payments of an order, and the mints that each of them bought. */
export const batchTable = (batches: ReadonlyArray<Batch>, explorer: string | null): HTMLElement =>
  table({
    name: "Payments",
    style: "batches",
    heads: HEADS,
    rows: batches.flatMap((batch) => rows(batch, explorer))
  })
