import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Exit, Fiber, Schedule, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT, temporaryDirectory } from "../e2e/support.ts"
import { makeRandom } from "../simulation/random.ts"
import { audit, openOrders, reconcile } from "./audit.ts"
import { type KeptExecutor, keepExecutor } from "./executor.ts"
import { type Counts, drawFaults, drawKills } from "./faults.ts"
import { compare, grown, type Held, shown } from "./flat.ts"
import { type Options, optionsOf } from "./options.ts"
import { makePeople, type People } from "./people.ts"
import { answerMs, heldBy } from "./samples.ts"
import { openWorld, patiently, type World } from "./world.ts"

/** The executor lives so much of the time undisturbed by kills, so that its memory is that of a long life. */
const LONG_LIFE = 0.9

/** Compiled code, caches and connections take this long to be what they stay. */
const GROWTH_MINUTES = 10

const SAMPLE_EVERY = "10 seconds"
const TELL_EVERY = "1 minute"

/** After the last fault: the longest pause between two sends, the window of a payment and the patience with a server. */
const HEALING = "8 minutes"

interface Soak {
  readonly options: Options
  readonly world: World
  readonly executor: KeptExecutor
  readonly people: People
  readonly counts: Counts
  readonly moments: Array<Held>
  readonly startMs: number
}

/** A look at the executor's process, where there is one. */
const sample = ({ world, executor, moments }: Soak) =>
  Effect.gen(function* () {
    const pid = executor.pid()
    if (pid === undefined) return
    const ms = yield* answerMs(executor.url)
    // It may have ended meanwhile.
    const held = yield* Effect.option(Effect.try(() => heldBy(pid, world.ports)))
    if (held._tag === "Some") moments.push({ ...held.value, "answer of the API, ms": ms })
  })

const sum = (counts: Counts): number => [...counts.values()].reduce((total, count) => total + count, 0)

const tell = ({ people, counts, moments, executor, startMs }: Soak) =>
  Effect.gen(function* () {
    const open = (yield* patiently(openOrders)).length
    const minute = Math.round((performance.now() - startMs) / 60_000)
    const held = Object.entries(moments.at(-1) ?? {}).map(([name, value]) => `${name} ${shown(value)}`)
    const orders = `${people.placed.length} orders (${open} open)`
    const trouble = `${sum(counts)} faults, ${executor.kills()} kills`
    yield* Console.log([`minute ${minute}: ${orders}`, trouble, ...held].join("; "))
  })

/** Steady load and drawn faults, for as long as it is to last. */
const disturb = Effect.fnUntraced(function* (soak: Soak, random: ReturnType<typeof makeRandom>) {
  const { options, people, executor, world, counts, moments } = soak
  const drawing = { world, executor, random, counts }
  const lifeMs = options.minutes * 60_000 * LONG_LIFE
  const ordering = yield* Effect.forkScoped(people.order(options.ordersPerMinute))
  const faulty = yield* Effect.forkScoped(drawFaults(drawing))
  yield* Effect.sleep(lifeMs)
  const ofLongLife = [...moments]
  yield* drawKills(drawing).pipe(Effect.timeoutOption(options.minutes * 60_000 - lifeMs))
  yield* Fiber.interrupt(ordering)
  yield* Fiber.interrupt(faulty)
  return compare(ofLongLife)
})

/** What is still open once everything works again. */
const untilAllOver = ({ people }: Soak) =>
  Effect.gen(function* () {
    return people.placed.every((order) => order.isDone()) && (yield* patiently(openOrders)).length === 0
  }).pipe(
    Effect.repeat({ schedule: Schedule.spaced("1 second"), until: (isOver) => isOver }),
    Effect.timeoutOption(HEALING),
    Effect.andThen(patiently(openOrders)),
    Effect.map((rows) => rows.map(({ id, status }) => `order ${id} is still ${status} ${HEALING} after the last fault`))
  )

const faultsOf = (counts: Counts): string =>
  [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ")

/** The rest of it: everything is over and in order, and nothing has grown. */
const judge = Effect.fnUntraced(function* (soak: Soak, compared: ReturnType<typeof compare>, cwd: string) {
  const { options, world, executor, people, counts } = soak
  const late = yield* untilAllOver(soak)
  const uneven = yield* reconcile(world.env, cwd)
  yield* executor.stop
  const audited = yield* Effect.orDie(audit(world, people.placed))
  yield* Console.log(`\nfaults: ${faultsOf(counts)}`)
  yield* Console.log(`orders: ${audited.ends}; ${audited.payments} payments and ${audited.mints} mints on chain`)
  for (const { name, middle, last, limit } of compared)
    yield* Console.log(
      `${name}: ${shown(middle)} in the middle third, ${shown(last)} in the last, flat up to ${shown(limit)}`
    )
  const isLong = options.minutes >= GROWTH_MINUTES
  if (!isLong) yield* Console.log(`growth is judged from ${GROWTH_MINUTES} minutes on: a new process still warms up`)
  return [...late, ...uneven, ...audited.wrong, ...executor.unaskedEnds, ...(isLong ? grown(compared) : [])]
})

const main: Effect.Effect<void, Error, Scope.Scope> = Effect.gen(function* () {
  const options = optionsOf(process.argv.slice(2))
  if (!existsSync("/proc/self/fd")) throw new Error("the soak reads /proc, which only Linux has")
  if (!existsSync(join(ROOT, "dist/main.js"))) throw new Error("dist/ is not there: npm run build")
  const world = yield* openWorld
  const cwd = yield* temporaryDirectory
  const logFile = join(tmpdir(), `ai-mint-soak-${process.pid}.log`)
  const random = makeRandom(String(options.seed))
  const executor = yield* keepExecutor(world.env, { cwd, logFile })
  yield* executor.ready
  const people = makePeople(world, random.fork("people"))
  const soak: Soak = { options, world, executor, people, counts: new Map(), moments: [], startMs: performance.now() }
  yield* Console.log(`${options.minutes} minutes, seed ${options.seed}; the executor's log is ${logFile}`)
  const work: Effect.Effect<ReadonlyArray<string>, never, SqlClient.SqlClient | Scope.Scope> = Effect.gen(function* () {
    yield* Effect.forkScoped(Effect.repeat(sample(soak), Schedule.spaced(SAMPLE_EVERY)))
    yield* Effect.forkScoped(Effect.schedule(tell(soak), Schedule.spaced(TELL_EVERY)))
    const compared = yield* disturb(soak, random)
    return yield* judge(soak, compared, cwd)
  })
  const wrong = yield* work.pipe(
    Effect.onExit((exit) =>
      Exit.isFailure(exit) ? Effect.andThen(Console.log("\nstopped early"), tell(soak)) : Effect.void
    ),
    Effect.provide(world.database.layer)
  )
  for (const sentence of wrong) yield* Console.error(sentence)
  if (wrong.length > 0) throw new Error(`${wrong.length} things are not as they should be`)
  yield* Console.log("all orders are over, and the audit is clean")
})

NodeRuntime.runMain(Effect.scoped(main))
