import { Clock, Effect, Layer, Metric } from "effect"
import { Settings } from "../config/Settings.ts"
import { BATCH_STATUSES } from "../domain/Batch.ts"
import { REFUND_TRANSITIONS } from "../domain/transferTransitions.ts"
import { STATUSES } from "../domain/Task.ts"
import type { LedgerEvent } from "../ledger/WatchRepo.ts"
import type { TickOutcome } from "./Progress.ts"
import { version } from "./process.ts"

// No label has an address, a task, a transaction or a token: an unbounded label fills the memory of the system that stores it.

/** Seconds. A sweep of ten pages is done in one; RPC and database time out at 10 and 15. */
const TICK_BOUNDARIES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60]

/** Seconds. A turn that pays waits for the mint server, whose `MINT_TIMEOUT` is a minute. */
const TURN_BOUNDARIES = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120]

const buildInfo = Metric.gauge("ai_mint_build_info", { description: "1, with what runs here as labels" })

const startedAt = Metric.gauge("ai_mint_start_timestamp_seconds", {
  description: "When the process began, in seconds since 1970"
})

const ticks = Metric.counter("ai_mint_loop_ticks_total", {
  description: "Ticks of a loop by how they ended",
  incremental: true
})

const tickDurations = Metric.histogram("ai_mint_loop_tick_duration_seconds", {
  description: "How long a tick of a loop took, however it ended",
  boundaries: TICK_BOUNDARIES
})

const lastTick = Metric.gauge("ai_mint_loop_last_tick_timestamp_seconds", {
  description: "When a tick of a loop last ended, in seconds since 1970"
})

const stages = Metric.histogram("ai_mint_sweep_stage_duration_seconds", {
  description: "How long each stage of a sweep took",
  boundaries: TICK_BOUNDARIES
})

const checked = Metric.gauge("ai_mint_sweep_checked", { description: "Orders that the last sweep looked at" })

const transitions = Metric.counter("ai_mint_transitions_total", {
  description: "Tasks, batches and refunds that entered a state since the process began",
  incremental: true
})

const turns = Metric.histogram("ai_mint_wallet_turn_duration_seconds", {
  description: "How long one thing done for a wallet took, the wait for its turn left out",
  boundaries: TURN_BOUNDARIES
})

const actors = Metric.gauge("ai_mint_wallet_actors", { description: "Wallets that have an actor now" })

const runners = Metric.gauge("ai_mint_runners", {
  description: "Executors that share the database, this one included"
})

const ownedParts = Metric.gauge("ai_mint_owned_parts", {
  description: "Parts of the wallets, of 32, that this executor owns"
})

const requestsMax = Metric.gauge("ai_mint_mint_server_requests_max", {
  description: "Requests to the mint server that may be in the air now, by what it bears and MINT_CONCURRENCY"
})

const requestsNow = Metric.gauge("ai_mint_mint_server_requests_in_flight", {
  description: "Requests to the mint server in the air now, with those that are about to leave"
})

const walletsInLine = Metric.gauge("ai_mint_mint_server_wallets_waiting", {
  description: "Wallets that wait until the mint server may be asked"
})

const parked = Metric.counter("ai_mint_wallet_parked_total", {
  description: "Turns of wallets that ended in a defect",
  incremental: true
})

const pauses = Metric.counter("ai_mint_outage_pauses_total", {
  description: "Pauses of all wallets because the chain, the mint server or the ledger failed",
  incremental: true
})

const outage = Metric.gauge("ai_mint_outage", { description: "1 from the first such failure to the next success" })

const incidents = Metric.gauge("ai_mint_incidents", {
  description: "Conditions of the environment that keep work waiting now, by whether no money can move meanwhile"
})

/** Sets both gauges: neither may keep a value that is over. */
export const incidentsNow = (open: ReadonlyArray<{ readonly stopsMoney: boolean }>): Effect.Effect<void> =>
  Effect.forEach(
    [true, false],
    (stops) => {
      const count = open.filter(({ stopsMoney }) => stopsMoney === stops).length
      return Metric.update(Metric.withAttributes(incidents, { stops: String(stops) }), count)
    },
    { discard: true }
  )

const reorganisations = Metric.counter("ai_mint_chain_reorganisations_total", {
  description: "Reorganisations of the chain below confirmed blocks",
  incremental: true
})

const tokens = Metric.counter("ai_mint_refused_tokens_total", {
  description: "Requests to the API with a token that was wrong, or that came from an address that guesses",
  incremental: true
})

/** A request had a token, and was refused for it. */
export const tokenRefused: Effect.Effect<void> = Metric.update(tokens, 1)

/** All values that the label may have. */
const STATES: Record<"task" | "batch" | "refund", ReadonlyArray<string>> = {
  task: STATUSES,
  batch: BATCH_STATUSES,
  refund: Object.keys(REFUND_TRANSITIONS)
}

/** What has states that are counted. */
type Entity = keyof typeof STATES

const addTransitions = (entity: Entity, to: string, count: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(transitions, { entity, to }), count)

/** Counts the transition that an event of the ledger reports; an event of no known state is not counted. `task.funded`: one task more that was funded. */
export const countEvent = ({ kind, batch, detail }: LedgerEvent): Effect.Effect<void> => {
  const [entity = "", to = ""] = kind.split(".")
  if (kind === "task.created") return countTransitions("task", String(detail["status"]), 1)
  // A plan, or what was found on the chain: all batches of it are one event.
  const count = entity === "batch" && batch === undefined ? Number(detail["batches"] ?? 1) : 1
  return countTransitions(entity, to, count)
}

const countTransitions = (entity: string, to: string, count: number): Effect.Effect<void> =>
  isEntity(entity) && STATES[entity].includes(to) ? addTransitions(entity, to, count) : Effect.void

const isEntity = (text: string): text is Entity => Object.hasOwn(STATES, text)

/** Each is zero before the first transition: else a scrape would not see the first one as an increase. */
const zeroTransitions = Effect.forEach(
  Object.entries(STATES) as ReadonlyArray<[Entity, ReadonlyArray<string>]>,
  ([entity, states]) => Effect.forEach(states, (to) => addTransitions(entity, to, 0), { discard: true }),
  { discard: true }
)

/** What runs here and since when. */
export const processBegan: Effect.Effect<void, never, Settings> = Effect.gen(function* () {
  const { network, mintProtocol } = yield* Settings
  const labels = { version, network: network.name, protocol: mintProtocol }
  yield* Metric.update(Metric.withAttributes(buildInfo, labels), 1)
  yield* Metric.update(startedAt, (yield* Clock.currentTimeMillis) / 1000)
  yield* zeroTransitions
  // Rare ones too are zero from the start: else a scrape would not see the first one as an increase.
  yield* Metric.update(tokens, 0)
  yield* Metric.update(parked, 0)
  yield* Metric.update(pauses, 0)
  yield* Metric.update(outage, 0)
  yield* Metric.update(reorganisations, 0)
  yield* incidentsNow([])
})

/** Tells what runs here as soon as the settings are known. */
export const layer: Layer.Layer<never, never, Settings> = Layer.effectDiscard(processBegan)

const OUTCOMES: ReadonlyArray<TickOutcome> = ["done", "failed", "defect"]

/** A loop begins: each of its outcomes is there from the start, with zero ticks. */
export const loopBegan = (loop: string): Effect.Effect<void> =>
  Effect.forEach(OUTCOMES, (outcome) => Metric.update(Metric.withAttributes(ticks, { loop, outcome }), 0), {
    discard: true
  })

export const tickEnded = (loop: string, outcome: TickOutcome, tookMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Metric.update(Metric.withAttributes(ticks, { loop, outcome }), 1)
    yield* Metric.update(Metric.withAttributes(tickDurations, { loop }), tookMs / 1000)
    yield* Metric.update(Metric.withAttributes(lastTick, { loop }), (yield* Clock.currentTimeMillis) / 1000)
  })

/** What a sweep does, in this order. */
export type Stage = "read" | "balances" | "deposits" | "decide" | "write"

export const stageEnded = (stage: Stage, tookMs: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(stages, { stage }), tookMs / 1000)

export const sweepChecked = (orders: number): Effect.Effect<void> => Metric.update(checked, orders)

export const turnEnded = (tookMs: number): Effect.Effect<void> => Metric.update(turns, tookMs / 1000)

export const actorsNow = (count: number): Effect.Effect<void> => Metric.update(actors, count)

/** With `RUNNERS=cluster` only. */
export const sharedNow = (counts: { readonly runners: number; readonly parts: number }): Effect.Effect<void> =>
  Effect.andThen(Metric.update(runners, counts.runners), Metric.update(ownedParts, counts.parts))

/** How many requests to the mint server there may be, how many there are, and how many wallets wait for one. */
export const placesNow = (places: {
  readonly limit: number
  readonly taken: number
  readonly waiting: number
}): Effect.Effect<void> =>
  Effect.all(
    [
      Metric.update(requestsMax, places.limit),
      Metric.update(requestsNow, places.taken),
      Metric.update(walletsInLine, places.waiting)
    ],
    { discard: true }
  )

export const walletParked = Metric.update(parked, 1)

export const reorganisationSeen = Metric.update(reorganisations, 1)

/** The environment failed and all wallets pause. `isAnother`: not one that a pause was already made for. */
export const outageSeen = (isAnother: boolean): Effect.Effect<void> =>
  Effect.andThen(Metric.update(outage, 1), Metric.update(pauses, isAnother ? 1 : 0))

export const outageOver = Metric.update(outage, 0)
