import type { Card } from "../cards.ts"
import { type Child, el } from "../dom.ts"

/** What a card shows, or why it shows nothing: to a key that lacks the scope that is no error. */
export const card = <A>(
  { value, refused, problem }: Card<A>,
  shown: (value: A) => ReadonlyArray<Child>
): ReadonlyArray<Child> => {
  if (refused !== undefined) return [el("p", { class: "calm", "data-key": "refused" }, `Not shown here. ${refused}`)]
  return [
    problem === undefined ? null : el("p", { class: "calm", "data-key": "problem" }, problem),
    value === undefined
      ? problem === undefined && el("p", { class: "calm", "data-key": "asking" }, "Asking the executor…")
      : shown(value)
  ]
}

/** A row of a table with the heads that it has. */
export const cardRow = (heads: ReadonlyArray<string>, key: string, cells: ReadonlyArray<Child>): HTMLElement =>
  el(
    "tr",
    { role: "row", "data-key": key },
    cells.map((cell, index) => el("td", { role: "cell", "data-head": heads[index] ?? "" }, cell))
  )
