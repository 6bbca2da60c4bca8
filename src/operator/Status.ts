import { Clock, Context, Effect, Layer } from "effect"
import { Readiness } from "../checks/Readiness.ts"
import { Settings, type SettingsShape } from "../config/Settings.ts"
import { isSafeToCopy } from "../domain/text.ts"
import { causeOf, shortId } from "../domain/Task.ts"
import { cachedFor } from "../ops/cachedFor.ts"
import type { Incident } from "../ops/Incidents.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Progress from "../ops/Progress.ts"
import { version } from "../ops/process.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import type { LedgerError } from "../ledger/TaskRepo.ts"
import { type AttentionItem, type LedgerFigures, WatchRepo } from "../ledger/WatchRepo.ts"
import { eventReport } from "./events.ts"
import { limitsNow } from "./limits.ts"
import { pausesNow } from "./pause.ts"
import type { Attention, StatusReport } from "./reports/status.ts"
import { paymentTimeoutMs, taskRecord } from "./tasks.ts"

/** Every page asks at every event: they share an answer. */
const KEPT = "1 second"

/** What `/metrics` and pages may be behind by: the sums go over all tasks there ever were. */
const FIGURES_KEPT = "5 seconds"

const OPEN_MAX = 100
const ATTENTION_MAX = 100
const FUNNEL_MS = 6 * 3_600_000

const given = Effect.all({ settings: Settings, readiness: Readiness, watch: WatchRepo, decisions: DecisionRepo })

type Given = Effect.Success<typeof given>

/** What runs now, in figures: of one moment, and shared by all who ask within it. */
export class Status extends Context.Service<
  Status,
  {
    readonly now: Effect.Effect<StatusReport, LedgerError>
    readonly figures: Effect.Effect<LedgerFigures, LedgerError>
    readonly version: Effect.Effect<StatusReport["version"]>
  }
>()("ai-mint-executor/operator/Status") {
  static readonly layer = Layer.effect(
    Status,
    Effect.gen(function* () {
      const sources = yield* given
      const figuresNow = Effect.flatMap(Clock.currentTimeMillis, sources.watch.figures)
      const { now: figures } = yield* cachedFor(figuresNow, () => FIGURES_KEPT)
      const { now } = yield* cachedFor(gather(sources, figures), () => KEPT)
      return Status.of({ now, figures, version: versionNow(sources.settings) })
    })
  )
}

const versionNow = ({ network }: SettingsShape) =>
  Effect.map(Progress.state, ({ startedAtMs: startedAt }) => ({
    name: "ai-mint-executor",
    version,
    network: network.name,
    chainId: network.chainId,
    startedAt
  }))

const LATELY_MAX = 12

/** Numbers that the sequence left out are no events: a few more are asked for. */
const LATELY_NUMBERS = 60

const latelyOf = Effect.fnUntraced(function* (watch: WatchRepo["Service"]) {
  const last = yield* watch.lastEvent
  const events = yield* watch.eventsAfter(Math.max(0, last - LATELY_NUMBERS), { limit: LATELY_NUMBERS })
  return events.slice(-LATELY_MAX).toReversed().map(eventReport)
})

const OPEN = ["pending_payment", "funded", "processing"] as const

const gather = Effect.fnUntraced(function* (sources: Given, figuresNow: Effect.Effect<LedgerFigures, LedgerError>) {
  const { settings, watch } = sources
  const nowMs = yield* Clock.currentTimeMillis
  const timeoutMs = paymentTimeoutMs(settings)
  const sinceMs = nowMs - FUNNEL_MS
  const figures = yield* figuresNow
  const open = yield* watch.listTasks({ statuses: OPEN }, { after: undefined, limit: OPEN_MAX })
  const incidents = yield* Incidents.open
  const attention = yield* watch.attention(ATTENTION_MAX)
  return {
    command: "status",
    now: nowMs,
    version: yield* versionNow(settings),
    explorer: settings.network.explorerUrl,
    paymentTimeoutMs: timeoutMs,
    tasks: figures.tasks,
    batches: figures.batches,
    money: figures.money,
    moneySince: figures.beganMs,
    funnel: { since: sinceMs, ...(yield* watch.funnel(sinceMs)) },
    open: open.tasks.map((task) => taskRecord(task, timeoutMs)),
    openCount: figures.tasks
      .filter(({ status }) => OPEN.some((one) => one === status))
      .reduce((n, { count }) => n + count, 0),
    attention: [...incidents.map(incidentOf), ...attention.map(attentionOf)].slice(0, ATTENTION_MAX),
    attentionCount: incidents.length + countOf(attention, figures),
    lately: yield* latelyOf(watch),
    readiness: yield* sources.readiness.now,
    pauses: yield* pausesNow(sources),
    limits: yield* limitsNow(sources)
  } satisfies StatusReport as StatusReport
})

/** All that need attention: where the list is cut, the sums tell how many there are. */
const countOf = (attention: ReadonlyArray<AttentionItem>, figures: LedgerFigures): number => {
  if (attention.length < ATTENTION_MAX) return attention.length
  const { count: unknown } = figures.batches.find(({ status }) => status === "unknown") ?? { count: 0 }
  const { held, undelivered, stoppedWallets, limited } = figures
  return Math.max(attention.length, held.count + undelivered.count + unknown + stoppedWallets.count + limited.count)
}

/** What is said where no reason is noted. */
const ABOUT = {
  held: "Held for a person",
  undelivered: "Paid, and not delivered",
  unknown: "Sent, and the outcome is not proven yet",
  stopped: "The wallet is stopped",
  refund: "A refund is not sent",
  limit: "It waits for a limit"
}

/** Where a name is none that may be typed, the way to all that waits. */
const commandFor = ({ taskId, agentAddress, walletId }: AttentionItem): string => {
  const command = taskId === undefined ? `wallets show ${agentAddress ?? walletId}` : `tasks explain ${shortId(taskId)}`
  return isSafeToCopy(command) ? command : "status"
}

export const attentionOf = (item: AttentionItem): Attention => ({
  kind: item.kind,
  taskId: item.taskId,
  wallet: item.agentAddress ?? item.walletId,
  batch: item.batch,
  since: item.sinceMs,
  alike: item.alike,
  text: item.reason === "" ? ABOUT[item.kind] : causeOf(item.reason),
  command: commandFor(item)
})

/** A condition of the environment that all orders wait for. */
const incidentOf = ({ words, sinceMs }: Incident): Attention => ({
  kind: "incident",
  taskId: undefined,
  wallet: undefined,
  batch: undefined,
  since: sinceMs,
  text: words,
  alike: 1,
  command: "doctor"
})
