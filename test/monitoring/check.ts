import { Effect, Schedule } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startNetwork } from "../docs/network.ts"
import { closedPort, ROOT } from "../e2e/support.ts"
import { ALERT_CASES, type AlertCase, WELL } from "./alertCases.ts"

// `npm run monitoring:check`: holds the alert rules against promtool, and a running executor against a Prometheus that
// scrapes it. Both are in Debian's package `prometheus`. Without them nothing can be checked, which is a failure.

const RULES = join(ROOT, "docs/monitoring/alerts.yml")

const say = (text: string): void => console.log(`   ${text}`)

/** Ends the check; whatever it started ends with its scope. */
const fail = (text: string): never => {
  throw new Error(text)
}

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).status === 0

const promtool = (args: ReadonlyArray<string>, input?: string): void => {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8", ...(input && { input }) })
  if (status !== 0) fail(`promtool ${args.slice(0, 2).join(" ")}:\n${stdout}${stderr}`)
}

/** What the rules file says of an alert, in the plain form that it is written in. */
const rules = new Map(
  readFileSync(RULES, "utf8")
    .split(/^ +- alert: /m)
    .slice(1)
    .map((text) => {
      const field = (name: string) => new RegExp(`^ +${name}: '?(.*?)'?$`, "m").exec(text)?.[1] ?? ""
      const rule = { severity: field("severity"), description: field("description") }
      return [/^\w+/.exec(text)?.[0] ?? "", rule] as const
    })
)

const seriesOf = (series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }))

const testOf = ({ alert, series, quietAt, firesAt, labels, summary }: AlertCase) => {
  const { severity = "", description = "" } = rules.get(alert) ?? {}
  const fires = { exp_labels: { severity, ...labels }, exp_annotations: { summary, description } }
  return {
    name: alert,
    interval: "1m",
    input_series: seriesOf(series),
    alert_rule_test: [
      ...(quietAt === undefined ? [] : [{ eval_time: `${quietAt}m`, alertname: alert, exp_alerts: [] }]),
      { eval_time: `${firesAt}m`, alertname: alert, exp_alerts: [fires] }
    ]
  }
}

const well = {
  name: "an executor that is well",
  interval: "1m",
  input_series: seriesOf(WELL),
  alert_rule_test: [...rules.keys()].map((alertname) => ({ eval_time: "20m", alertname, exp_alerts: [] }))
}

const inFolder = <A>(work: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "monitoring-"))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Each rule fires when it should, with its words, and none of them on a good day. */
const checkRules = (): void => {
  promtool(["check", "rules", RULES])
  const untested = [...rules.keys()].filter((name) => !ALERT_CASES.some(({ alert }) => alert === name))
  if (untested.length > 0) fail(`no case for ${untested.join(", ")}`)
  inFolder((folder) => {
    const path = join(folder, "alerts.test.yml")
    // JSON is YAML too.
    const file = { rule_files: [RULES], evaluation_interval: "1m", tests: [...ALERT_CASES.map(testOf), well] }
    writeFileSync(path, JSON.stringify(file))
    promtool(["test", "rules", path])
  })
  say(`${rules.size} alert rules fire when they should, and none of them on a good day`)
}

const configFor = (target: string) => ({
  global: { scrape_interval: "1s", evaluation_interval: "1s" },
  rule_files: [RULES],
  scrape_configs: [{ job_name: "ai-mint-executor", static_configs: [{ targets: [target] }] }]
})

/** A Prometheus of its own, with the configuration of docs/operating.md on the executor that is given. */
const startPrometheus = Effect.fnUntraced(function* (target: string) {
  const port = yield* closedPort
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "prometheus-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(configFor(target)))
  const address = `127.0.0.1:${port}`
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`]
  yield* Effect.acquireRelease(
    Effect.sync(() => spawn("prometheus", [...args, `--web.listen-address=${address}`], { stdio: "ignore" })),
    (child) =>
      Effect.promise(async () => {
        const ended = once(child, "exit")
        child.kill("SIGTERM")
        await ended
      })
  )
  return `http://${address}`
})

interface Answer {
  readonly data: { readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }> }
}

/** The number that a query gives, as soon as it gives one. */
const valueOf = (prometheus: string, query: string) =>
  Effect.tryPromise(async () => {
    const answer = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`)
    const [first] = ((await answer.json()) as Answer).data.result
    if (first === undefined) throw new Error(`${query}: nothing`)
    return Number(first.value[1])
  }).pipe(Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 60 }))

/** The executor is scraped for real, and every metric that the rules ask for comes with it. */
const checkScrape = Effect.gen(function* () {
  const { url } = yield* startNetwork
  const text = yield* Effect.promise(async () => (await fetch(`${url}/metrics`)).text())
  promtool(["check", "metrics"], text)
  const prometheus = yield* startPrometheus(new URL(url).host)
  const up = yield* valueOf(prometheus, 'max(up{job="ai-mint-executor"}) == 1')
  const asked = new Set([...readFileSync(RULES, "utf8").matchAll(/\bai_mint_[a-z_]+/g)].map(([name]) => name))
  for (const name of asked) yield* valueOf(prometheus, `count(${name})`)
  const firing = yield* valueOf(prometheus, 'count(ALERTS{alertstate="firing"}) or vector(0)')
  if (up !== 1 || firing !== 0) fail(`up is ${up}, and ${firing} rules fire on a local network that is well`)
  say(
    `a Prometheus scrapes a running executor: up is 1, with all ${asked.size} metrics of the rules, and no rule fires`
  )
}).pipe(Effect.scoped)

try {
  for (const program of ["promtool", "prometheus"])
    if (!isThere(program)) fail(`${program} is missing, so nothing was checked: apt-get install prometheus`)
  checkRules()
  await Effect.runPromise(checkScrape)
  console.log("✅ The alert rules and the scrape are as they should be")
} catch (error) {
  console.error(`❌ ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
