import { Cause, Clock, Duration, Effect, type Exit, Layer, Ref } from "effect"
import { Settings } from "../config/Settings.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import * as Progress from "../ops/Progress.ts"
import { Ownership } from "../runners/Ownership.ts"
import { Blocks } from "./Blocks.ts"
import { Orders } from "./Orders.ts"
import { Outage } from "./Outage.ts"
import { Sweep } from "./Sweep.ts"
import { Transfers } from "./Transfers.ts"
import { UsdcCode } from "./UsdcCode.ts"
import { Wallets } from "./Wallets.ts"

/** More wallets than one process can look after wait for the next tick, the longest overdue first. */
const WALLETS_MAX = 1_000_000

/**
 * Wakes every wallet that has something to do by now: after a restart, a lost wake-up or another program's death. Gives
 * how many.
 */
const makeMintTick = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const { wakeDue } = yield* Wallets
  const { ranges } = yield* Ownership
  return Effect.fn("MintLoop.tick")(function* () {
    const due = yield* repo.dueWallets(yield* Clock.currentTimeMillis, WALLETS_MAX, yield* ranges)
    yield* Effect.forEach(due, wakeDue, { discard: true })
    return due.length
  })
})

/** A sweep, and how it went in the metrics and in what the process says of its progress. */
const makeCheckTick = Effect.map(Sweep, ({ tick }) =>
  Effect.gen(function* () {
    const [took, { checked, funded, cancelled }] = yield* Effect.timed(tick)
    yield* Metrics.sweepChecked(checked)
    const counts = { checked, funded: funded.length, cancelled: cancelled.length }
    yield* Progress.sweepEnded({ ...counts, tookMs: Duration.toMillis(took) })
  })
)

/** The check loop and the mint loop, for ever; and the block loop, which follows the blocks, so that less waits for them. */
export const loops = Effect.gen(function* () {
  const { checkInterval, checkTrigger, mintInterval, network } = yield* Settings
  const checkTick = yield* makeCheckTick
  const mintTick = yield* makeMintTick
  const blocks = yield* Blocks
  // What another executor has left is taken up at once.
  const { gained } = yield* Ownership
  const orGained = (interval: Duration.Duration) => Effect.raceFirst(Effect.sleep(interval), gained)
  const blockTime = Duration.seconds(network.blockSeconds)
  return yield* Effect.raceAllFirst([
    every("Check", checkInterval, checkTick, orGained(checkInterval)),
    every("Mint tick", mintInterval, mintTick(), orGained(mintInterval)),
    ...(checkTrigger === "block" ? [every("Block tick", blockTime, blocks.tick, blocks.pause)] : [])
  ])
})

/** What the loops run: the sweep and the wallet actors, over any chain, mint server and ledger. */
export const layer = Layer.merge(Sweep.layer, Blocks.layer).pipe(
  Layer.provideMerge(Wallets.layer),
  Layer.provide(Transfers.layer),
  Layer.provide(Orders.layer),
  Layer.provideMerge(UsdcCode.layer),
  Layer.provide(Outage.layer)
)

/** So many ticks in a row that end in a defect are a broken program, and no passing trouble: it must be seen. */
const DEFECTS_IN_A_ROW_MAX = 10

/**
 * Runs `tick` now and then again after each `pause`, which is about as long as `interval`. A tick that fails is logged and
 * the loop goes on; only a row of defects ends it, and with it the process: up and doing nothing is the worst failure.
 */
export const every = <E extends { readonly message: string }, R>(
  name: string,
  interval: Duration.Duration,
  tick: Effect.Effect<unknown, E, R>,
  pause: Effect.Effect<void> = Effect.sleep(interval)
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const loop = labelOf(name)
    yield* Progress.began(loop, interval)
    yield* Metrics.loopBegan(loop)
    const guarded = yield* makeGuardedTick(name, watched(loop, tick))
    return yield* Effect.forever(Effect.andThen(guarded, pause))
  })

const makeGuardedTick = <E extends { readonly message: string }, R>(name: string, tick: Effect.Effect<unknown, E, R>) =>
  Effect.map(Ref.make(0), (defects) =>
    tick.pipe(
      Effect.catch((error) => Log.warnOnce(`${name}:${error.message}`, `⚠️ ${name} skipped: ${error.message}`)),
      Effect.andThen(Ref.set(defects, 0)),
      Effect.catchCause((cause) => surviveDefect(name, defects, cause))
    )
  )

/** How metrics and probes call a loop: `Mint tick` is `mint`, `Block tick` is `block`. */
const labelOf = (name: string): string => name.split(" ", 1).join().toLowerCase()

/** The same tick, with its beginning and its end noted. */
const watched = <A, E extends { readonly message: string }, R>(loop: string, tick: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* Progress.moved(loop)
    const startNanos = yield* Clock.monotonicTimeNanos
    return yield* Effect.onExit(tick, (exit) => noteEnd(loop, startNanos, exit))
  })

const noteEnd = Effect.fnUntraced(function* <E extends { readonly message: string }>(
  loop: string,
  startNanos: bigint,
  exit: Exit.Exit<unknown, E>
) {
  // An interruption is no end of a tick.
  if (exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause)) return
  const tookMs = Number((yield* Clock.monotonicTimeNanos) - startNanos) / 1e6
  const { outcome, problem } = endOf(exit)
  yield* Metrics.tickEnded(loop, outcome, tookMs)
  yield* Progress.ticked(loop, outcome, problem)
})

const endOf = <E extends { readonly message: string }>(
  exit: Exit.Exit<unknown, E>
): { readonly outcome: Progress.TickOutcome; readonly problem: string | undefined } => {
  if (exit._tag === "Success") return { outcome: "done", problem: undefined }
  const failed = exit.cause.reasons.find(Cause.isFailReason)
  if (failed !== undefined && !Cause.hasDies(exit.cause)) return { outcome: "failed", problem: failed.error.message }
  return { outcome: "defect", problem: String(Cause.squash(exit.cause)) }
}

const surviveDefect = Effect.fnUntraced(function* (name: string, defects: Ref.Ref<number>, cause: Cause.Cause<never>) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
  yield* Log.error(`🚨 ${name} ended in a defect`, { cause })
  const inARow = yield* Ref.updateAndGet(defects, (n) => n + 1)
  if (inARow >= DEFECTS_IN_A_ROW_MAX) return yield* Effect.failCause(cause)
})
