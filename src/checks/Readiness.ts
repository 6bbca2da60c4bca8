import { Clock, Context, Duration, Effect, Layer } from "effect"
import { ChainClient, type NodeHealth, type SubscriptionHealth } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { HEAD_AGE_MS_MAX, isOverdue, READ_ONLY } from "../domain/requirements.ts"
import { duration } from "../domain/time.ts"
import { WatchRepo } from "../ledger/WatchRepo.ts"
import { Minter } from "../mint/Minter.ts"
import * as Clocks from "../ops/Clocks.ts"
import { cachedFor } from "../ops/cachedFor.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Runners from "../ops/Runners.ts"
import * as Progress from "../ops/Progress.ts"
import { makeRedact, type Redact } from "../ops/redact.ts"

/** For so long every caller gets the same answer: a thousand requests cost one check. */
const KEPT = "2 seconds"

/** A caller waits for the answer: shorter than the executor's own limits. */
const TIME_LIMIT = "3 seconds"

/** Sweeps that may be missing, and never less than this: a sweep with faults takes a while by itself. */
const SWEEPS_MISSED = 3
const SWEEP_MS_MIN = 60_000

/** Whether everything that the executor needs answers: checked at most every two seconds. Never fails. */
export class Readiness extends Context.Service<
  Readiness,
  { readonly now: Effect.Effect<Effect.Success<typeof check>> }
>()("ai-mint-executor/checks/Readiness") {
  static readonly layer = Layer.effect(
    Readiness,
    Effect.gen(function* () {
      const services = yield* Effect.context<Settings | ChainClient | Minter | WatchRepo>()
      const { now } = yield* cachedFor(Effect.provideContext(check, services), () => KEPT)
      return Readiness.of({ now })
    })
  )
}

const check = Effect.gen(function* () {
  const redact = makeRedact(yield* Settings)
  const checkedAt = yield* Clock.currentTimeMillis
  const parts = yield* Effect.all(
    { database: checkDatabase, nodes: (yield* ChainClient).nodes, mintServer: (yield* Minter).ping },
    { concurrency: "unbounded" }
  )
  const sweep = yield* checkSweep(checkedAt)
  const database = {
    ok: parts.database.problem === undefined,
    tookMs: parts.database.tookMs,
    problem: clean(redact, parts.database.problem)
  }
  yield* Clocks.noteHeads(parts.nodes.flatMap(({ headTimeMs }) => headTimeMs ?? []))
  const times = { nowMs: checkedAt, aheadMs: yield* Clocks.oursAheadMs, latestMs: yield* Clocks.latestBelievableMs }
  const rpc = parts.nodes.map((node) => checkNode(node, times, redact))
  const subscriptions = yield* (yield* ChainClient).subscriptions
  const announcements = subscriptions.map((one) => checkSubscription(one, redact))
  const mintServer = {
    ok: parts.mintServer.problem === undefined,
    tookMs: Math.round(parts.mintServer.tookMs),
    problem: clean(redact, parts.mintServer.problem)
  }
  const due = checkDue(parts.database.since, checkedAt)
  const incidents = (yield* Incidents.open).map(({ words, sinceMs, stopsMoney }) => ({
    ok: !stopsMoney,
    problem: redact(words),
    since: sinceMs
  }))
  const runners = (yield* Runners.all).map(({ name, version, parts: owned }, index) => {
    return { name, version, isThis: index === 0, parts: owned }
  })
  const isWell = database.ok && rpc.some(({ ok }) => ok) && mintServer.ok && sweep.ok && due.ok
  const ready = isWell && incidents.every(({ ok }) => ok)
  const shared = runners.length === 0 ? {} : { runners }
  const announced = announcements.length === 0 ? {} : { announcements }
  return { ready, checkedAt, database, rpc, ...announced, mintServer, sweep, due, incidents, ...shared }
})

const clean = (redact: Redact, problem: string | undefined) => (problem === undefined ? undefined : redact(problem))

/** Asks what readiness needs anyway, instead of `SELECT 1`. */
const checkDatabase = Effect.gen(function* () {
  const startMs = yield* Clock.currentTimeMillis
  const watch = yield* WatchRepo
  const asked = yield* Effect.all([watch.dueSince(startMs), watch.takesWrites]).pipe(
    Effect.map(([since, takesWrites]) => ({
      since,
      problem: takesWrites ? undefined : `${READ_ONLY.detail}. ${READ_ONLY.remedy}`
    })),
    Effect.timeoutOrElse({
      duration: TIME_LIMIT,
      orElse: () => Effect.succeed({ since: undefined, problem: `no answer within ${TIME_LIMIT}` })
    }),
    Effect.catch(({ message }) => Effect.succeed({ since: undefined, problem: message }))
  )
  return { ...asked, tookMs: (yield* Clock.currentTimeMillis) - startMs }
})

const checkNode = (
  { host, head, headTimeMs, tookMs, problem }: NodeHealth,
  { nowMs, aheadMs, latestMs }: { readonly nowMs: number; readonly aheadMs: number; readonly latestMs: number },
  redact: Redact
) => {
  // By the chain's clock: ours may be minutes from it, and its blocks come all the same.
  const headAgeMs = headTimeMs === undefined ? undefined : Math.max(0, nowMs - aheadMs - headTimeMs)
  const isOld = headAgeMs !== undefined && headAgeMs > HEAD_AGE_MS_MAX
  const isTooLate = headTimeMs !== undefined && headTimeMs > latestMs
  const odd = isOld ? `its newest block is ${duration(headAgeMs)} old` : undefined
  const why = problem ?? (isTooLate ? "its newest block is later than every clock that can be asked" : odd)
  return { host, ok: why === undefined, tookMs: Math.round(tookMs), problem: clean(redact, why), head, headAgeMs }
}

/** Blocks that are not announced are asked for: nothing waits for it. */
const checkSubscription = ({ host, stage, head, heardAtMs, problem }: SubscriptionHealth, redact: Redact) => {
  return { host, ok: stage !== "down", stage, problem: clean(redact, problem), head, heardAt: heardAtMs }
}

const checkSweep = Effect.fnUntraced(function* (nowMs: number) {
  const { checkInterval } = yield* Settings
  const { sweep, startedAtMs } = yield* Progress.state
  const allowedMs = Math.max(SWEEPS_MISSED * Duration.toMillis(checkInterval), SWEEP_MS_MIN)
  const sinceMs = nowMs - (sweep?.atMs ?? startedAtMs)
  const ok = sinceMs <= allowedMs
  const last = sweep && {
    at: sweep.atMs,
    tookMs: Math.round(sweep.tookMs),
    checked: sweep.checked,
    funded: sweep.funded,
    cancelled: sweep.cancelled
  }
  return { ok, problem: ok ? undefined : `no sweep has gone through for ${duration(sinceMs)}`, last }
})

const checkDue = (since: number | undefined, nowMs: number) => {
  const problem = isOverdue(since, nowMs) ? `what was due ${duration(nowMs - since)} ago is not done` : undefined
  return { ok: problem === undefined, problem, since }
}
