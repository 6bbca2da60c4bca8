import type { Paint } from "./paint.ts"
import { clip, COLUMNS, columnsOf, wrap } from "./text.ts"

/** A column of a table. The last one gets what the others leave of the line. */
export interface Column {
  readonly title: string
  readonly right?: boolean
}

/** What stands in a column, and how it is painted. */
export type Cell = string | { readonly text: string; readonly as: keyof Paint }

export interface TableOptions {
  readonly columns: ReadonlyArray<Column>
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
  /** What does not fit the last column goes on below, instead of being cut. */
  readonly wrapLast?: boolean
  /** Columns of the terminal in front of each line. */
  readonly indent?: number
}

const GAP = 2

/** No column but the last needs more: what is longer is cut. */
const WIDTH_MAX = 50

/**
 * At most 100 columns wide, with faint titles. Own code: Effect has no tables, and the packages that print some do not
 * count an icon as two columns, nor clip and wrap what people's servers wrote.
 */
export const table = (options: TableOptions, paint: Paint): ReadonlyArray<string> => {
  const { columns, rows, indent = 0 } = options
  const widths = widthsOf(options)
  const line = (cells: ReadonlyArray<Cell>): string =>
    `${" ".repeat(indent)}${columns.map((column, at) => place(cells[at] ?? "", column, widths[at] ?? 0, paint)).join(" ".repeat(GAP))}`.trimEnd()
  const titles = line(columns.map(({ title }): Cell => ({ text: title, as: "faint" })))
  return [titles, ...rows.flatMap((row) => linesOf(row, options, widths).map(line))]
}

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text)

const widthsOf = ({ columns, rows, indent = 0 }: TableOptions): ReadonlyArray<number> => {
  const needed = columns.map(({ title }, at) =>
    Math.max(columnsOf(title), ...rows.map((row) => columnsOf(textOf(row[at] ?? ""))))
  )
  const before = needed.slice(0, -1).map((width) => Math.min(width, WIDTH_MAX))
  const used = indent + before.reduce((sum, width) => sum + width + GAP, 0)
  const last = Math.min(needed.at(-1) ?? 0, COLUMNS - used)
  return [...before, last]
}

/** One row, as the lines that it takes. */
const linesOf = (
  row: ReadonlyArray<Cell>,
  { columns, wrapLast = false }: TableOptions,
  widths: ReadonlyArray<number>
): ReadonlyArray<ReadonlyArray<Cell>> => {
  const last = row[columns.length - 1]
  if (!wrapLast || last === undefined) return [row]
  const [first = "", ...more] = wrap(textOf(last), widths.at(-1) ?? COLUMNS).map((text): Cell =>
    typeof last === "string" ? text : { ...last, text }
  )
  return [[...row.slice(0, -1), first], ...more.map((cell) => [...columns.slice(1).map(() => ""), cell])]
}

const place = (cell: Cell, { right = false }: Column, width: number, paint: Paint): string => {
  const text = clip(textOf(cell), width)
  const painted = typeof cell === "string" ? text : paint[cell.as](text)
  const space = " ".repeat(Math.max(0, width - columnsOf(text)))
  return right ? `${space}${painted}` : `${painted}${space}`
}
