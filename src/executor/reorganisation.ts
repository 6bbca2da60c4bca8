import { Array as Arr, Clock, Effect, Ref } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { type Anchor, superfluous } from "../domain/Anchor.ts"
import type { Block } from "../domain/Block.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import * as Metrics from "../ops/metrics.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { askAll, makeTakeBack, type Panel } from "./takeBack.ts"

/** So many checks in a row must find other blocks than were seen: one node on a fork of its own is no reorganisation. */
const CHECKS_MIN = 3

/** After so many checks, five minutes, those nodes decide that answer at all: one of several may be down for long. */
const CHECKS_FOR_ALL = 30

/** So often what was recorded is looked for; what is contradictory then stays as it is, and a person is asked. */
const ATTEMPTS_MAX = 30

/** Blocks with proofs that are held against the chain in one sweep, oldest first; the rest waits for the next sweep. */
const PROOFS_MAX = 30

/** How far below the oldest anchor the fork is sought where none of them is on the chain any more. */
const BLOCKS_BELOW = 1_000n

const INCIDENT = "reorganisation"

/**
 * Holds the chain against the blocks that were seen before. While it shows others the sweep decides nothing: money that
 * is not there would look stolen, and orders unpaid. What was recorded is taken back only where all nodes that answer
 * agree, at least two of several for the first minutes, in several checks, `CONFIRMATIONS` blocks past what they
 * contradict. Says whether the chain is the one that was seen.
 */
export const makeWatchChain = Effect.gen(function* () {
  const { confirmations } = yield* Settings
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const compare = yield* makeCompare
  const takeBack = yield* makeTakeBack
  const checks = yield* Ref.make(0)
  const attempts = yield* Ref.make(0)
  /** What was contradictory to the end, and stays in sight: no later sweep checks it again. */
  const left = yield* Ref.make<ReadonlyMap<string, string>>(new Map())
  return Effect.fn("CheckLoop.watchChain")(function* (block: Block) {
    for (const [key, words] of yield* Ref.get(left)) yield* Incidents.raise(key, words)
    const { seen, strange } = yield* compare(block)
    const highest = strange.at(-1)
    if (highest === undefined) {
      yield* Ref.set(checks, 0)
      yield* Ref.set(attempts, 0)
      yield* Incidents.close(INCIDENT)
      return true
    }
    yield* warn(`Block ${highest.block} is not the one that was seen before: nothing is decided until all nodes agree.`)
    if (block.number < highest.block + BigInt(confirmations)) return false
    const checked = yield* Ref.updateAndGet(checks, (count) => count + 1)
    if (checked < CHECKS_MIN) return false
    const witnesses = yield* chain.witnesses(block.number)
    const panel = { witnesses, quorum: checked > CHECKS_FOR_ALL ? 1 : Math.min(2, witnesses.length) }
    const fork = yield* findFork(panel, { seen, strange })
    if (fork === undefined) return false
    const clarity = yield* takeBack({ ...panel, fork, block })
    if (clarity === "open") return false
    const isDone = clarity === "clear"
    if (!isDone && (yield* Ref.updateAndGet(attempts, (count) => count + 1)) < ATTEMPTS_MAX) return false
    if (!isDone) yield* Ref.update(left, (before) => new Map([...before, contradicted(fork)]))
    if (!isDone) yield* Log.error(`🚨 ${contradicted(fork)[1]}`)
    yield* repo.endReorganisation({ fork, block: block.number }, yield* Clock.currentTimeMillis)
    yield* Metrics.reorganisationSeen
    yield* Log.warn(`🔀 The chain was reorganised above block ${fork}: what was recorded is as the chain has it now`)
    yield* Ref.set(checks, 0)
    yield* Ref.set(attempts, 0)
    yield* Incidents.close(INCIDENT)
    // The balances of this look may be from before the deposits were found again.
    return false
  })
})

const contradicted = (fork: bigint): readonly [string, string] => [
  `${INCIDENT} ${fork}`,
  `What was recorded above block ${fork} is contradicted by the nodes, and stays as it is. Compare with: ai-mint reconcile`
]

const warn = (words: string) =>
  Effect.andThen(Incidents.raise(INCIDENT, `${words} Look at the RPC URLs.`), Log.warnOnce(INCIDENT, `⚠️ ${words}`))

/**
 * The newest block of a sweep, and those with proofs that no sweep has covered yet, held against the chain of now. Where
 * it has them all, the block of this sweep stands for all below it. `strange`: those that are other ones now, by height.
 */
const makeCompare = Effect.gen(function* () {
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  return Effect.fnUntraced(function* (block: Pick<Block, "number">) {
    const all = yield* repo.anchors
    const anchors = all.filter((anchor) => anchor.block <= block.number)
    const [seen, proofs] = [anchors.filter(({ isProof }) => !isProof), anchors.filter(({ isProof }) => isProof)]
    const newest = seen[0]
    const asked = [...proofs.toReversed().slice(0, PROOFS_MAX), ...(newest === undefined ? [] : [newest])]
    const [here, ...there] = yield* chain.readHashes([block.number, ...asked.map((anchor) => anchor.block)])
    const strange = asked.filter(({ hash }, index) => there[index] !== hash).toSorted(byHeight)
    const isNew = newest?.block !== block.number || proofs.length > 0
    // Below one that this node has not reached it says nothing: the chain may have left that one, and have forked below both.
    const isHighest = all.every((anchor) => anchor.block <= block.number)
    if (strange.length === 0 && here !== undefined && isNew && isHighest) {
      const covered = asked.filter(({ isProof }) => isProof).map((anchor) => anchor.block)
      yield* repo.addAnchor({ block: block.number, hash: here }, [...superfluous(seen), ...covered])
    }
    return { seen, strange }
  })
})

/** Whether the chain up to this block is the one that was seen. Where it is not, what follows from that is the sweep's. */
export const makeIsChainSeen = Effect.map(
  makeCompare,
  (compare) => (number: bigint) => Effect.map(compare({ number }), ({ strange }) => strange.length === 0)
)

const byHeight = (a: Anchor, b: Anchor): number => (a.block < b.block ? -1 : a.block > b.block ? 1 : 0)

/** Anchors that are asked for at once. */
const ANCHORS_AT_ONCE = 3

/**
 * The newest block of a sweep that all nodes still have, below all that they have not; `undefined` where they differ, or
 * where only the node that is asked first has other blocks.
 */
const findFork = Effect.fnUntraced(function* (
  panel: Panel,
  { seen, strange }: { readonly seen: ReadonlyArray<Anchor>; readonly strange: ReadonlyArray<Anchor> }
) {
  const now = yield* agreedHashes(panel, strange)
  if (now === undefined || strange.some(({ hash }, index) => now[index] === hash)) {
    yield* warn("The nodes are on different forks, or too few of them answer: nothing is decided until they agree.")
    return undefined
  }
  const below = seen.filter((anchor) => strange.every((other) => anchor.block < other.block))
  for (const some of Arr.chunksOf(below, ANCHORS_AT_ONCE)) {
    const hashes = yield* agreedHashes(panel, some)
    if (hashes === undefined) return undefined
    const held = some.find(({ hash }, index) => hashes[index] === hash)
    if (held !== undefined) return held.block
  }
  const oldest = below.at(-1) ?? strange[0]
  const fork = oldest === undefined || oldest.block < BLOCKS_BELOW ? 0n : oldest.block - BLOCKS_BELOW
  yield* Log.error(
    `🚨 None of the blocks that were seen is on the chain any more: all above block ${fork} is looked at`
  )
  return fork
})

/** By all nodes that answer; `undefined` where they differ, or too few do. */
const agreedHashes = Effect.fnUntraced(function* (panel: Panel, anchors: ReadonlyArray<Anchor>) {
  const answers = yield* askAll(panel, (witness) => witness.readHashes(anchors.map(({ block }) => block)))
  const [first, ...others] = answers ?? []
  return others.every((other) => other.join() === first?.join()) ? first : undefined
})
