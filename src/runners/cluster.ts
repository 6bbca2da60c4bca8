import { Context, Deferred, Duration, Effect, Exit, Layer, Option, Ref, References, Scope } from "effect"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as ClusterRunners from "effect/cluster/Runners"
import * as ShardId from "effect/cluster/ShardId"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import { randomUUID } from "node:crypto"
import { Settings } from "../config/Settings.ts"
import { ALL_PARTS, type Part, PARTS, partOf, rangesOf } from "../domain/Part.ts"
import { disagreement, ownedInWords, type Runner } from "../domain/Runner.ts"
import { EXECUTOR, layerAs } from "../ledger/Database.ts"
import { bounded } from "../ledger/sql/failure.ts"
import * as Background from "../ops/background.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { processName, version } from "../ops/process.ts"
import * as Metrics from "../ops/metrics.ts"
import * as Runners from "../ops/Runners.ts"
import { refuseUnfit } from "./fitness.ts"
import { Ownership } from "./Ownership.ts"
import { BEAT, beat, depart, ONE_ALONE } from "./registry.ts"
import { sharedSettings } from "./sharedSettings.ts"
import { makeTables, PREFIX } from "./tables.ts"

/** One connection holds the locks of the parts for as long as the process lives, the other asks and tells. */
const CONNECTIONS = 2

/** How often to look whether parts came or went: Sharding gives no notice of it. Reads memory alone. */
const LOOK = "100 millis"

/** Parts come and go one by one: the log names them once they have been the same for so many looks. */
const LOOKS_AT_REST = 10

/** Leaving takes tenths of a second. Where the database is away, the locks end by themselves. */
const LEAVE_LIMIT = "3 seconds"

/** The others take one that was silent for longer than this for gone: the next heartbeat is a new try before that. */
const BEAT_LIMIT = Duration.seconds(3)

/**
 * Sharding for ownership alone: no sockets, no entities, no messages. Measured with these values: 5.4 to 6.4 s from the
 * death of an executor until others own its parts, 1 s at a stop, 2.1 questions a second. With 256 parts and these
 * deadlines a slow machine let parts go that it had.
 */
const placement = (id: string) =>
  Sharding.layer.pipe(
    Layer.provide(ClusterRunners.layerNoop),
    Layer.provide(MessageStorage.layerNoop),
    Layer.provide(RunnerHealth.layerNoop),
    Layer.provide(SqlRunnerStorage.layerStorage({ prefix: PREFIX })),
    Layer.provide(
      ShardingConfig.layer({
        // No port is opened. One address twice would own nothing the second time: the id is drawn at each start.
        runnerAddress: Option.some(RunnerAddress.make(id, 1)),
        shardsPerGroup: PARTS,
        shardLockExpiration: "6 seconds",
        shardLockRefreshInterval: "2 seconds",
        refreshAssignmentsInterval: "1 second",
        entityMessagePollInterval: "1 second"
      })
    )
  )

/** What this process is, among those that share the database. */
const makeIdentity = Effect.map(Settings, (settings) => ({
  id: `${processName}:${randomUUID()}`,
  as: (parts: ReadonlyArray<Part>): Runner => ({
    name: processName,
    version,
    settings: sharedSettings(settings),
    parts
  })
}))

const make = Effect.gen(function* () {
  const identity = yield* makeIdentity
  const { id } = identity
  // Its own, as it ends before the layer does: parts are given up before what is under way has ended.
  const scope = yield* Scope.fork(yield* Effect.scope)
  const client = yield* Layer.buildWithScope(
    layerAs({ applicationName: `${EXECUTOR} runners`, connectionsMax: CONNECTIONS }),
    scope
  )
  yield* Effect.provide(Effect.andThen(refuseUnfit, makeTables), client)
  const built = yield* Layer.buildWithScope(
    placement(id).pipe(Layer.provide(Layer.succeedContext(client))),
    scope
  ).pipe(
    // Its own log lines mean nothing to an operator. The lines below say what follows from them.
    Effect.provideService(References.MinimumLogLevel, "None")
  )
  const { hasShardId } = Context.get(built, Sharding.Sharding)
  const owned = (part: Part) => hasShardId(SHARDS[part] ?? ShardId.make("default", 0))

  const parts = Effect.sync(() => ALL_PARTS.filter(owned))
  const gains = yield* makeGains
  const beats = yield* makeBeats(identity)
  yield* Scope.addFinalizer(scope, Effect.ignore(Effect.provide(depart(id), client)))
  const tellBeat = Effect.flatMap(parts, (now) => Effect.provide(beats(now), client)).pipe(
    (beat) => bounded(BEAT_LIMIT, { limitName: "a heartbeat" })("write the heartbeat", beat),
    Effect.catch(({ message }) =>
      Log.warnOnce("beat", `⚠️ The other executors take this one for gone before long: ${message}`)
    )
  )
  yield* Effect.forkIn(Background.repeated("The heartbeat among executors", BEAT, tellBeat), scope)
  const look = yield* makeLook(parts, gains.happened)
  yield* Effect.forkIn(Background.repeated("The look at owned parts", LOOK, look), scope)
  return Ownership.of({
    owns: (walletId) => owned(partOf(walletId)),
    parts,
    ranges: Effect.map(parts, rangesOf),
    gained: gains.next,
    leave: Effect.asVoid(Effect.timeoutOption(Scope.close(scope, Exit.void), LEAVE_LIMIT))
  })
})

/** Shards are counted from 1. */
const SHARDS = ALL_PARTS.map((part) => ShardId.make("default", part + 1))

/** Lets the loops wait for the next part that comes. */
const makeGains = Effect.gen(function* () {
  const waiting = yield* Ref.make(yield* Deferred.make<void>())
  return {
    next: Effect.flatMap(Ref.get(waiting), Deferred.await),
    happened: Effect.gen(function* () {
      const before = yield* Ref.getAndSet(waiting, yield* Deferred.make<void>())
      yield* Deferred.succeed(before, undefined)
    })
  }
})

interface Seen {
  readonly parts: ReadonlyArray<Part>
  readonly looksAtRest: number
}

/** Notices parts that came or went since the last look. */
const makeLook = Effect.fnUntraced(function* (parts: Effect.Effect<ReadonlyArray<Part>>, gained: Effect.Effect<void>) {
  const seen = yield* Ref.make<Seen>({ parts: [], looksAtRest: 0 })
  return Effect.gen(function* () {
    const now = yield* parts
    const before = yield* Ref.get(seen)
    const isSame = now.join() === before.parts.join()
    if (now.some((part) => !before.parts.includes(part))) yield* gained
    yield* Ref.set(seen, { parts: now, looksAtRest: isSame ? before.looksAtRest + 1 : 0 })
    if (isSame && before.looksAtRest === LOOKS_AT_REST) yield* Log.info(`🧩 This executor owns ${ownedInWords(now)}`)
  })
})

const UNLIKE = "runners-differ"

/** Tells the others of this executor, and notes who they are and whether they are the same program. */
const makeBeats = Effect.fnUntraced(function* ({ id, as }: Effect.Success<typeof makeIdentity>) {
  const warned = yield* Ref.make("")
  return Effect.fnUntraced(function* (parts: ReadonlyArray<Part>) {
    const own = as(parts)
    const { others, isOneAlone } = yield* beat(id, own)
    yield* Runners.note([own, ...others])
    yield* Metrics.sharedNow({ runners: 1 + others.length, parts: parts.length })
    const faults = [...others.flatMap((other) => disagreement(own, other) ?? []), ...(isOneAlone ? [ONE_ALONE] : [])]
    if (faults.length === 0) return yield* Effect.asVoid(Incidents.close(UNLIKE))
    const words = `${faults.join(". ")}. All executors of one database must be the same version with the same settings.`
    yield* Incidents.raise(UNLIKE, words)
    if ((yield* Ref.getAndSet(warned, words)) !== words) yield* Log.warn(`⚠️ ${words}`)
  })
})

/** Which wallets this process works for, among the executors that share its database. */
export const layer = Layer.effect(Ownership, make)
