import type { StatusJson } from "../../operator/reports/status.ts"
import { el, svg } from "../dom.ts"
import { count, duration } from "../format.ts"

type Funnel = StatusJson["funnel"]

const STAGES = ["created", "funded", "minting", "completed"] as const
const ENDS = ["failed", "cancelled"] as const

/** Units of the drawing, which is stretched to the width of the page. */
const WIDTH = 100
const HEIGHT = 100
/** Width at which a stage begins to narrow towards the next. */
const LEVEL = 62
/** One order among thousands is still visible. */
const LEAST = 2

/** Half the height of a bar for so many of all. */
const half = (part: number, whole: number): number =>
  part === 0 ? 0.5 : Math.max(LEAST, (part / Math.max(1, whole)) * HEIGHT) / 2

/** From a stage's height to the next one's, both around the middle. */
const stagePath = (index: number, from: number, to: number): string => {
  const [left, turn, right] = [index * WIDTH, index * WIDTH + LEVEL, (index + 1) * WIDTH]
  const bend = (turn + right) / 2
  const middle = HEIGHT / 2
  return [
    `M${left} ${middle - from}H${turn}`,
    `C${bend} ${middle - from} ${bend} ${middle - to} ${right} ${middle - to}`,
    `V${middle + to}`,
    `C${bend} ${middle + to} ${bend} ${middle + from} ${turn} ${middle + from}`,
    `H${left}Z`
  ].join("")
}

const share = (part: number, whole: number): string => (whole === 0 ? "–" : `${Math.round((part / whole) * 100)} %`)

/** Whole hours, once it is more than one. */
const hours = (ms: number): string => (ms > 3_600_000 ? `${Math.round(ms / 3_600_000)} hours` : duration(ms))

const column = (name: string, value: number, created: number): HTMLElement =>
  el(
    "div",
    { class: "column", "data-stage": name },
    el("dt", {}, name),
    el("dd", { class: "big" }, count(value)),
    el("dd", { class: "muted" }, name === "created" ? "all" : share(value, created))
  )

const stages = (funnel: Funnel): SVGElement =>
  svg(
    "svg",
    { viewBox: `0 0 ${STAGES.length * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    STAGES.map((stage, index) => {
      const from = half(funnel[stage], funnel.created)
      const next = STAGES[index + 1]
      const to = next === undefined ? from : half(funnel[next], funnel.created)
      return svg("path", { class: `stage-${stage}`, d: stagePath(index, from, to) })
    })
  )

const ends = (funnel: Funnel): SVGElement =>
  svg(
    "svg",
    { viewBox: `0 0 ${ENDS.length * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    ENDS.map((end, index) => {
      const reach = half(funnel[end], funnel.created)
      return svg("rect", {
        class: funnel[end] === 0 ? "stage-none" : `stage-${end}`,
        x: index * WIDTH,
        y: HEIGHT / 2 - reach,
        width: LEVEL,
        height: reach * 2
      })
    })
  )

const part = (kind: string, names: ReadonlyArray<keyof Funnel & string>, drawing: SVGElement, funnel: Funnel) =>
  el(
    "div",
    { class: `funnel-part ${kind}` },
    el(
      "dl",
      {},
      names.map((name) => column(name, Number(funnel[name]), funnel.created))
    ),
    drawing
  )

/** The funnel of the orders of the last hours. Screen readers get the numbers. */
export const funnelChart = (funnel: Funnel, nowMs: number): ReadonlyArray<HTMLElement> => [
  el("p", { class: "muted" }, `Orders created in the last ${hours(nowMs - Date.parse(funnel.since))}`),
  el(
    "div",
    { class: "funnel" },
    part("stages", STAGES, stages(funnel), funnel),
    part("ends", ENDS, ends(funnel), funnel)
  )
]
