import { Clock, Context, Duration, Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Progress from "../ops/Progress.ts"
import { version } from "../ops/process.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { type AttentionItem, type LedgerFigures, WatchRepo } from "../ledger/WatchRepo.ts"
import type * as System from "../operator/reports/status.ts"
import { Readiness } from "../checks/Readiness.ts"
import { attentionOf, eventOf, incidentOf, taskOf } from "./views.ts"

/** Every page asks at every event: they share an answer. */
const KEPT = "1 second"

/** What `/metrics` and pages may be behind by: the sums go over all tasks there ever were. */
const FIGURES_KEPT = "5 seconds"

const OPEN_MAX = 100
const ATTENTION_MAX = 100
const FUNNEL_MS = 6 * 3_600_000

/** What runs now, in figures. */
export class Overview extends Context.Service<
  Overview,
  {
    readonly now: Effect.Effect<System.StatusReport, LedgerError>
    readonly figures: Effect.Effect<LedgerFigures, LedgerError>
    readonly version: Effect.Effect<System.StatusReport["version"]>
  }
>()("ai-mint-executor/api/overview/Overview") {
  static readonly layer = Layer.effect(
    Overview,
    Effect.gen(function* () {
      const watch = yield* WatchRepo
      const services = yield* Effect.context<Settings | Readiness | WatchRepo | DecisionRepo>()
      const figures = yield* Effect.cachedWithTTL(Effect.flatMap(Clock.currentTimeMillis, watch.figures), FIGURES_KEPT)
      const now = yield* Effect.cachedWithTTL(Effect.provideContext(gather(figures), services), KEPT)
      return Overview.of({ now, figures, version: Effect.provideContext(versionNow, services) })
    })
  )
}

/** The same without an executor: a process that has just begun, with loops that have not moved yet. */
export const overviewOnce = Effect.flatMap(Overview, ({ now }) => now).pipe(
  Effect.provide(Overview.layer.pipe(Layer.provide(Readiness.layer), Layer.provideMerge(Progress.layer)))
)

const versionNow = Effect.gen(function* () {
  const { network } = yield* Settings
  const { startedAtMs } = yield* Progress.state
  return { name: "ai-mint-executor", version, network: network.name, chainId: network.chainId, startedAt: startedAtMs }
})

const LATELY_MAX = 12

/** Numbers that the sequence left out are no events: a few more are asked for. */
const LATELY_NUMBERS = 60

const latelyOf = Effect.fnUntraced(function* (watch: WatchRepo["Service"]) {
  const last = yield* watch.lastEvent
  const events = yield* watch.eventsAfter(Math.max(0, last - LATELY_NUMBERS), { limit: LATELY_NUMBERS })
  return events.slice(-LATELY_MAX).toReversed().map(eventOf)
})

const OPEN = ["pending_payment", "funded", "processing"] as const

const gather = Effect.fnUntraced(function* (figuresNow: Effect.Effect<LedgerFigures, LedgerError>) {
  const { network, paymentTimeout } = yield* Settings
  const watch = yield* WatchRepo
  const nowMs = yield* Clock.currentTimeMillis
  const timeoutMs = Duration.toMillis(paymentTimeout)
  const sinceMs = nowMs - FUNNEL_MS
  const figures = yield* figuresNow
  const open = yield* watch.listTasks({ statuses: OPEN }, { after: undefined, limit: OPEN_MAX })
  const incidents = yield* Incidents.open
  const attention = yield* watch.attention(ATTENTION_MAX)
  return {
    command: "status",
    now: nowMs,
    version: yield* versionNow,
    explorer: network.explorerUrl,
    paymentTimeoutMs: timeoutMs,
    tasks: figures.tasks,
    batches: figures.batches,
    money: figures.money,
    moneySince: figures.beganMs,
    funnel: { since: sinceMs, ...(yield* watch.funnel(sinceMs)) },
    open: open.tasks.map((task) => taskOf(task, timeoutMs)),
    openCount: figures.tasks
      .filter(({ status }) => OPEN.some((one) => one === status))
      .reduce((n, { count }) => n + count, 0),
    attention: [...incidents.map(incidentOf), ...attention.map(attentionOf)].slice(0, ATTENTION_MAX),
    attentionCount: incidents.length + countOf(attention, figures),
    lately: yield* latelyOf(watch),
    readiness: yield* (yield* Readiness).now,
    pauses: (yield* (yield* DecisionRepo).pauses).map(({ scope, reason, sinceMs: since }) => ({ scope, reason, since }))
  } satisfies System.StatusReport as System.StatusReport
})

/** All that need a look: where the list is cut, the sums tell how many there are. */
const countOf = (attention: ReadonlyArray<AttentionItem>, figures: LedgerFigures): number => {
  if (attention.length < ATTENTION_MAX) return attention.length
  const { count: unknown } = figures.batches.find(({ status }) => status === "unknown") ?? { count: 0 }
  const { held, undelivered, stoppedWallets } = figures
  return Math.max(attention.length, held.count + undelivered.count + unknown + stoppedWallets.count)
}
