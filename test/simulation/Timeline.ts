/** So many things in one moment are a circle. */
const AT_ONCE_MAX = 20_000

/** The same happens again and again, and no time passes. */
export class Endless extends Error {
  override readonly message = "the same happens for ever and no time passes"
}

/** What happens at one moment. */
interface Entry {
  readonly atMs: number
  /** The chain moves before everything else of the same moment: a read of a block sees all of it. */
  readonly rank: 0 | 1
  readonly sequence: number
  readonly action: () => void
  isCancelled: boolean
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.atMs !== b.atMs ? a.atMs < b.atMs : a.rank !== b.rank ? a.rank < b.rank : a.sequence < b.sequence

/**
 * The one true time, in milliseconds since 1970, and everything that is to happen. It jumps from one thing to the next:
 * between them nothing can change.
 */
export class Timeline {
  nowMs: number
  /** Runs what fibers have to do at this moment, until none has anything left to do. */
  readonly settle: () => void
  readonly #heap: Array<Entry> = []
  #atOnce = 0
  #sequence = 0

  constructor(startMs: number, settle: () => void) {
    this.nowMs = startMs
    this.settle = settle
  }

  /** Gives what takes it back. */
  at(atMs: number, action: () => void, options: { readonly isChain?: boolean } = {}) {
    const entry: Entry = {
      atMs: Math.max(atMs, this.nowMs),
      rank: options.isChain === true ? 0 : 1,
      sequence: this.#sequence++,
      action,
      isCancelled: false
    }
    this.#push(entry)
    return () => {
      entry.isCancelled = true
    }
  }

  after(ms: number, action: () => void) {
    return this.at(this.nowMs + ms, action)
  }

  /** Lets everything happen up to `endMs`, or until `isDone` after something has. */
  run(endMs: number, isDone: () => boolean = () => false): void {
    this.settle()
    while (!isDone()) {
      const entry = this.#heap[0]
      if (entry === undefined || entry.atMs > endMs) {
        this.nowMs = Math.max(this.nowMs, endMs)
        return
      }
      this.#pop()
      if (entry.isCancelled) continue
      this.#atOnce = entry.atMs > this.nowMs ? 0 : this.#atOnce + 1
      if (this.#atOnce > AT_ONCE_MAX) throw new Endless()
      this.nowMs = Math.max(this.nowMs, entry.atMs)
      entry.action()
      this.settle()
    }
  }

  #push(pushed: Entry): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(pushed)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(pushed, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = pushed
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}

const pad = (value: number, length: number): string => String(value).padStart(length, "0")

/** `01:02:03.456`: time since the start of the run. */
const since = (ms: number): string =>
  `${pad(Math.floor(ms / 3_600_000), 2)}:${pad(Math.floor(ms / 60_000) % 60, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(Math.floor(ms) % 1000, 3)}`

/** What happened in a run, for a person: virtual time, who, what. */
export class Trace {
  readonly lines: Array<string> = []
  readonly #timeline: Timeline
  readonly #startMs: number

  constructor(timeline: Timeline) {
    this.#timeline = timeline
    this.#startMs = timeline.nowMs
  }

  say(who: string, what: string): void {
    this.lines.push(`${since(this.#timeline.nowMs - this.#startMs)} ${who.padEnd(8)} ${what}`)
  }
}

/** Long hex in the few digits that tell it apart. */
export const short = (hex: string): string => (hex.length > 12 ? `${hex.slice(0, 8)}…` : hex)
