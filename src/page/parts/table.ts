import { el } from "../dom.ts"

interface TableOptions {
  readonly name: string
  readonly heads: ReadonlyArray<string>
  readonly rows: ReadonlyArray<HTMLElement>
  /** Besides that of every table. */
  readonly style?: string
}

/** Roles in so many words: on a phone the rows become cards, and browsers forget then that it is a table. */
export const table = ({ name, heads, rows, style = "" }: TableOptions): HTMLElement =>
  el(
    "table",
    { class: `orders ${style}`.trim(), role: "table", "aria-label": name, "data-key": "table" },
    el(
      "thead",
      { role: "rowgroup" },
      el(
        "tr",
        { role: "row" },
        heads.map((head) => el("th", { role: "columnheader", scope: "col" }, head))
      )
    ),
    el("tbody", { role: "rowgroup" }, rows)
  )
