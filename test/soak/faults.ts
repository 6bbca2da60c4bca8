import { Effect, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { type Fault, type FaultKind, ofMintServer, ofRpc } from "../../src/sandbox/faults.ts"
import type { Random } from "../simulation/random.ts"
import type { KeptExecutor } from "./executor.ts"
import { crashDatabase, patiently, type World } from "./world.ts"

/** Faults that no executor comes through alone: what was minted and never paid is a person's to decide. */
const NEEDS_A_PERSON: ReadonlySet<FaultKind> = new Set(["mint-before-settlement"])

/** A node of another chain ends a start, as it should: it is no fault of a running system. */
const ENDS_A_START: ReadonlySet<FaultKind> = new Set(["rpc-wrong-chain"])

/** What one request meets and the next does not: an order that is refused again and again fails. */
const ONE_REQUEST: ReadonlySet<FaultKind> = new Set([
  ...["refuse", "refuse-payment", "price-higher", "other-payee", "other-asset", "other-chain"],
  ...["settle-nothing", "mint-fails", "mint-nothing"]
] as ReadonlyArray<FaultKind>)

const ofServer = ofMintServer.filter((kind) => !NEEDS_A_PERSON.has(kind))
const ofNode = ofRpc.filter((kind) => !ENDS_A_START.has(kind))

const WAYS_OF_DATABASE = ["away", "crash", "connections break"] as const

/** What went wrong, and how often. */
export type Counts = Map<string, number>

export interface Drawing {
  readonly world: World
  readonly executor: KeptExecutor
  readonly random: Random
  readonly counts: Counts
}

const note = (counts: Counts, what: string) => Effect.sync(() => void counts.set(what, (counts.get(what) ?? 0) + 1))

/** Something goes wrong after every so many seconds, drawn anew each time, until it is interrupted. */
const keepDrawing = <R>(random: Random, pause: readonly [number, number], incident: Effect.Effect<void, never, R>) =>
  Effect.suspend(() => Effect.sleep(`${random.int(...pause)} seconds`)).pipe(Effect.andThen(incident), Effect.forever)

/** Mint server, node and database, each by itself: two of them may be in trouble at once. */
export const drawFaults = (drawing: Drawing): Effect.Effect<never, never, SqlClient.SqlClient | Scope.Scope> => {
  const { world, random, counts } = drawing
  const on = new Map<string, Fault>()
  const set = (place: string, fault: Fault | undefined) =>
    Effect.sync(() => {
      if (fault === undefined) on.delete(place)
      else on.set(place, fault)
      world.faults.set([...on.values()])
    })
  const incidents = (place: string, kinds: ReadonlyArray<FaultKind>, secondsMax: number) => {
    const own = random.fork(place)
    return keepDrawing(
      own,
      [10, 60],
      Effect.suspend(() => {
        const kind = own.pick(kinds)
        const fault = { kind, ms: own.int(1, 8) * 500, blocks: own.int(2, 15) }
        const lasts = set(place, { ...fault, ...(ONE_REQUEST.has(kind) && { times: 1 }) }).pipe(
          Effect.andThen(note(counts, kind)),
          Effect.andThen(Effect.sleep(`${own.int(2, secondsMax)} seconds`))
        )
        return Effect.ensuring(lasts, set(place, undefined))
      })
    )
  }
  const all = [incidents("mint server", ofServer, 12), incidents("node", ofNode, 10), databaseIncidents(drawing)]
  return Effect.all(all, { concurrency: "unbounded" }) as Effect.Effect<never, never, SqlClient.SqlClient>
}

const databaseIncidents = ({ world: { relay }, random, counts }: Drawing) => {
  const own = random.fork("database")
  const away = Effect.suspend(() =>
    Effect.acquireUseRelease(
      relay.close,
      () => Effect.sleep(`${own.int(1, 8)} seconds`),
      () => relay.open
    )
  )
  const ways = { away, crash: patiently(crashDatabase), "connections break": relay.breakConnections }
  return keepDrawing(
    own,
    [60, 240],
    Effect.suspend(() => {
      const way = own.pick(WAYS_OF_DATABASE)
      return Effect.andThen(note(counts, `database: ${way}`), ways[way])
    })
  )
}

/** Kills the executor now and then. */
export const drawKills = ({ executor, random, counts }: Drawing): Effect.Effect<never> =>
  keepDrawing(random.fork("kills"), [4, 20], Effect.andThen(note(counts, "executor killed"), executor.killNow))
