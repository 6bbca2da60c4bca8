/** One line of the report: what was measured, once in each round. */
export interface Figure {
  readonly what: string
  readonly unit: string
  readonly ours: ReadonlyArray<number>
  /** The same work without our code. */
  readonly bare?: ReadonlyArray<number>
  /** The same work one at a time, as v1.1 did it. */
  readonly oneByOne?: ReadonlyArray<number>
}

/** What a measurement gives: figures and, where it counted them, statements and calls by kind, with a title each. */
export interface Measured {
  readonly figures: ReadonlyArray<Figure>
  readonly profiles?: Readonly<Record<string, ReadonlyArray<Share>>>
}

/** A kind of statement or call, and what it costs a batch. */
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
  if (value >= 100) return Math.round(value).toLocaleString("en")
  return value.toFixed(value >= 10 ? 1 : 2)
}

/** The median, and the ratio of ours to it. */
const beside = (ours: number, others: ReadonlyArray<number> | undefined): ReadonlyArray<string> => {
  if (others === undefined || others.length === 0) return ["", ""]
  const other = median(others)
  return [shown(other), other === 0 ? "" : `${shown(ours / other)} ×`]
}

const lineOf = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** A table in Markdown: medians, and their ratios. */
export const tableOf = (figures: ReadonlyArray<Figure>): string => {
  const head = ["", "unit", "ours", "bare", "to bare", "one at a time", "to one at a time", "rounds"]
  const rows = figures.map(({ what, unit, ours, bare, oneByOne }) => {
    const middle = median(ours)
    return [what, unit, shown(middle), ...beside(middle, bare), ...beside(middle, oneByOne), String(ours.length)]
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

/** What `--json` writes: every round of every figure, besides the medians. */
export const jsonOf = (
  measured: Readonly<Record<string, Measured>>,
  about: Readonly<Record<string, unknown>>
): string => {
  const figures = Object.entries(measured).flatMap(([measure, { figures }]) =>
    figures.map((figure) => ({ measure, median: median(figure.ours), ...figure }))
  )
  const profiles = Object.assign({}, ...Object.values(measured).map((one) => one.profiles))
  return `${JSON.stringify({ ...about, figures, profiles }, null, 2)}\n`
}
