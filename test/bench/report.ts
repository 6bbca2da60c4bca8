/** The columns of a figure: the executor, the same work without our code, and the same one at a time as v1.1 did it. */
export const COLUMNS = ["ours", "bare", "oneByOne"] as const
export type Column = (typeof COLUMNS)[number]

/** One line of the report: what was measured, a value for each round that did not fail. */
export interface Figure extends Readonly<Record<Column, ReadonlyArray<number>>> {
  /** Which measurement it belongs to. */
  readonly measure: string
  readonly what: string
  readonly unit: string
}

/** A kind of statement or call, or a process, and what it costs a batch. */
export interface Share {
  readonly kind: string
  readonly perBatch: number
  /** Milliseconds of the database for a batch; not of a call to the chain. */
  readonly ms?: number
}

/** The n-th part of them in order, `0.95` for the 95th percentile. */
export const quantile = (values: ReadonlyArray<number>, part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0

export const median = (values: ReadonlyArray<number>): number => {
  const inOrder = values.toSorted((a, b) => a - b)
  const [lower = 0, upper = 0] = [inOrder[(inOrder.length - 1) >> 1], inOrder[inOrder.length >> 1]]
  return (lower + upper) / 2
}

const shown = (value: number): string => {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en")
  return value.toFixed(value >= 10 ? 1 : 2)
}

/** The median, and the ratio of ours to it. */
const beside = (ours: ReadonlyArray<number>, others: ReadonlyArray<number>): readonly [string, string] => {
  if (others.length === 0) return ["", ""]
  const other = median(others)
  return [shown(other), ours.length === 0 || other === 0 ? "" : `${shown(median(ours) / other)} ×`]
}

/** A figure as it stands so far. */
export const progressOf = ({ what, unit, ours, bare, oneByOne }: Figure): string => {
  const parts = ours.length === 0 ? [] : [`${shown(median(ours))} ${unit}`]
  for (const [name, others] of [["bare", bare] as const, ["one at a time", oneByOne] as const]) {
    const [other, ratio] = beside(ours, others)
    if (other !== "") parts.push(`${name} ${other}${ratio === "" ? "" : ` (${ratio})`}`)
  }
  return `${what}: ${parts.join(", ")}`
}

const lineOf = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** A table in Markdown: medians, and their ratios. */
export const tableOf = (figures: ReadonlyArray<Figure>): string => {
  const head = ["", "unit", "ours", "bare", "to bare", "one at a time", "to one at a time", "rounds"]
  const rows = figures.map(({ what, unit, ours, bare, oneByOne }) => {
    const middle = ours.length === 0 ? "" : shown(median(ours))
    return [what, unit, middle, ...beside(ours, bare), ...beside(ours, oneByOne), String(ours.length)]
  })
  return [head, head.map((_, column) => (column < 2 ? "---" : "---:")), ...rows].map(lineOf).join("\n")
}

/** So many kinds of statements or calls are shown; the JSON has all of them. */
const SHARES_SHOWN = 25

/** So much of a statement tells which one it is. */
const KIND_LENGTH = 110

export const profileOf = (title: string, shares: ReadonlyArray<Share>): string => {
  const rows = shares
    .toSorted((a, b) => b.perBatch - a.perBatch)
    .slice(0, SHARES_SHOWN)
    .map(({ kind, perBatch, ms }) => [
      kind.slice(0, KIND_LENGTH).replaceAll("|", "\\|"),
      shown(perBatch),
      ms?.toFixed(2) ?? ""
    ])
  return [[title, "a batch", "ms"], ["---", "---:", "---:"], ...rows].map(lineOf).join("\n")
}
