import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { ChainErrorReason } from "../../src/chain/ChainClient.ts"
import { everyMetric } from "./everyMetric.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const read = (name: string): string => readFileSync(new URL(`../../docs/monitoring/${name}`, import.meta.url), "utf8")

/** What Prometheus adds to every series that it scrapes. */
const SCRAPED = ["job", "instance"]

/** The labels of each name that can be asked for, as `/metrics` has it: of a histogram its three parts. */
const exposed = Effect.map(everyMetric, (metrics) => {
  const labels = new Map<string, Set<string>>([["up", new Set(SCRAPED)]])
  for (const { id, type, attributes = {} } of metrics) {
    const own = [...SCRAPED, ...Object.keys(attributes)]
    const names = type === "Histogram" ? [`${id}_bucket`, `${id}_sum`, `${id}_count`] : [id]
    for (const name of names)
      labels.set(name, new Set([...(labels.get(name) ?? []), ...own, ...(name.endsWith("_bucket") ? ["le"] : [])]))
  }
  return labels
})

/** The metrics that an expression asks for, each with the labels that it is chosen by. */
const selectorsOf = (expr: string) =>
  [...expr.matchAll(/\b(ai_mint_\w+|up(?=\{))(?:\{([^}]*)\})?/g)].map(([, name = "", inside = ""]) => ({
    name,
    labels: [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = ""]) => label)
  }))

/** The labels by which an expression groups or joins. */
const groupsOf = (expr: string): ReadonlyArray<string> =>
  [...expr.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(",").map((label) => label.trim())
  )

/** What is wrong with an expression and with the labels that its text shows. */
const wrongWith = (expr: string, shown: string, labels: ReadonlyMap<string, ReadonlySet<string>>) => {
  const selectors = selectorsOf(expr)
  const all = new Set(selectors.flatMap(({ name }) => [...(labels.get(name) ?? [])]))
  const used = [
    ...groupsOf(expr),
    ...[...shown.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, one = ""]) => one)
  ]
  return [
    ...(selectors.length === 0 ? [`no metric in: ${expr}`] : []),
    ...selectors.filter(({ name }) => !labels.has(name)).map(({ name }) => `no such metric: ${name}`),
    ...selectors.flatMap(({ name, labels: own }) =>
      own.filter((label) => labels.get(name)?.has(label) === false).map((label) => `${name} has no label ${label}`)
    ),
    ...used.filter((label) => !all.has(label)).map((label) => `no label ${label} in: ${expr}`)
  ]
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}

interface Dashboard {
  readonly uid: string
  readonly schemaVersion: number
  readonly panels: ReadonlyArray<Panel>
  readonly templating: {
    readonly list: ReadonlyArray<{ readonly name: string; readonly type: string; readonly query: unknown }>
  }
  readonly annotations: { readonly list: ReadonlyArray<{ readonly expr: string }> }
}

const dashboard: Dashboard = JSON.parse(read("grafana-dashboard.json"))

/** The rules, by the plain form that the file is written in: one key a line. */
const rules = read("alerts.yml")
  .split(/^ +- alert: /m)
  .slice(1)
  .map((text) => {
    const field = (name: string): string => new RegExp(`^ +${name}: '?(.*?)'?$`, "m").exec(text)?.[1] ?? ""
    return {
      alert: /^\w+/.exec(text)?.[0] ?? "",
      expr: field("expr"),
      severity: field("severity"),
      summary: field("summary"),
      description: field("description")
    }
  })

describe("the dashboard", () => {
  test("asks only for metrics and labels that there are", function* () {
    const labels = yield* exposed
    const targets = dashboard.panels.flatMap(({ targets = [] }) => targets)
    assert.isAbove(targets.length, 40)
    assert.deepStrictEqual(
      targets.flatMap(({ expr, legendFormat }) => wrongWith(expr, legendFormat, labels)),
      []
    )
    assert.deepStrictEqual(
      dashboard.annotations.list.flatMap(({ expr }) => wrongWith(expr, "", labels)),
      []
    )
    assert.deepStrictEqual(
      dashboard.templating.list
        .filter(({ type }) => type === "query")
        .flatMap(({ query }) => selectorsOf(JSON.stringify(query)).filter(({ name }) => !labels.has(name))),
      []
    )
  })

  test("shows every metric of the executor, or its rule does", function* () {
    const shown = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...rules].flatMap(({ expr }) =>
      selectorsOf(expr).map(({ name }) => name.replace(/_bucket$/, ""))
    )
    const missing = (yield* everyMetric).map(({ id }) => id).filter((id) => !shown.includes(id))
    assert.deepStrictEqual([...new Set(missing)], [])
  })

  it("is one that Grafana takes: a uid, a source to choose, panels that do not overlap", () => {
    assert.strictEqual(dashboard.uid, "ai-mint-executor")
    assert.isAtLeast(dashboard.schemaVersion, 39)
    assert.deepInclude(dashboard.templating.list[0], { name: "DS_PROMETHEUS", type: "datasource", query: "prometheus" })
    const { panels } = dashboard
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const { type, title, datasource, gridPos } of panels) {
      if (type !== "row") assert.strictEqual(datasource?.uid, "${DS_PROMETHEUS}", title)
      assert.isAtMost(gridPos.x + gridPos.w, 24, title)
    }
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`)
    )
    assert.strictEqual(new Set(cells).size, cells.length)
  })
})

describe("the alerts", () => {
  test("ask only for metrics and labels that there are", function* () {
    const labels = yield* exposed
    assert.isAbove(rules.length, 12)
    assert.deepStrictEqual(
      rules.flatMap(({ expr, summary, description }) => wrongWith(expr, `${summary} ${description}`, labels)),
      []
    )
  })

  it("say how bad it is, what happened, and with which command to look", () => {
    assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    for (const { alert, severity, summary, description } of rules) {
      assert.match(alert, /^AiMint[A-Z]\w+$/)
      assert.oneOf(severity, ["critical", "warning"], alert)
      assert.isAbove(summary.length, 15, alert)
      assert.match(description, /`ai-mint (doctor|status|reconcile|resolve|tasks (list|explain)|webhooks list)/, alert)
    }
  })
})

const ANSWERS = [...ChainErrorReason.literals, "Accepted", "Refused", "Unclear"]

/** Values that the code gives its labels; the scrape's own are the operator's. */
const VALUES: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["loop", ["check", "mint", "block"]],
  ["outcome", ["done", "failed", "defect", "ok", "offer", "said", "nothing", "Interrupted", "Defect", ...ANSWERS]],
  ["kind", ["quote", "pay", "follow"]],
  ["entity", ["task", "batch", "refund"]],
  ["held", ["true", "false"]],
  ["stops", ["true", "false"]],
  ["status", ["pending_payment", "funded", "processing", "completed", "failed", "cancelled", "delivered", "resolved"]]
])

describe("dashboard and alerts", () => {
  it("choose by values that there are: one that is misspelt is never met", () => {
    const exprs = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...rules].map(({ expr }) => expr)
    const chosen = [...exprs.join("\n").matchAll(/(\w+)(?:=~|!~|!=|=)"([^"$]*)"/g)].flatMap(
      ([, label = "", values = ""]) => values.split("|").map((value) => ({ label, value }))
    )
    const isKnown = ({ label, value }: { readonly label: string; readonly value: string }) =>
      label === "job" || VALUES.get(label)?.includes(value) === true
    assert.isAbove(chosen.length, 20)
    assert.deepStrictEqual(
      chosen.filter((one) => !isKnown(one)),
      []
    )
  })
})

describe("the check of an expression", () => {
  test("finds what is not there", function* () {
    const labels = yield* exposed
    for (const [expr, shown, wrong] of [
      ["rate(ai_mint_loop_tick_total[5m])", "", "no such metric: ai_mint_loop_tick_total"],
      ["ai_mint_rpc_duration_seconds", "", "no such metric: ai_mint_rpc_duration_seconds"],
      ['ai_mint_tasks{state="funded"}', "", "ai_mint_tasks has no label state"],
      ["sum by (task) (ai_mint_tasks)", "", "no label task in: sum by (task) (ai_mint_tasks)"],
      ["ai_mint_tasks", "{{host}}", "no label host in: ai_mint_tasks"],
      ["vector(1)", "", "no metric in: vector(1)"]
    ] as const)
      assert.deepStrictEqual(wrongWith(expr, shown, labels), [wrong])
    assert.deepStrictEqual(wrongWith('sum by (le, host) (ai_mint_rpc_duration_seconds_bucket{le="1"})', "", labels), [])
  })
})
