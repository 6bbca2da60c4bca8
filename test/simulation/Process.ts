import { Effect } from "effect"
import type { Bytes32 } from "../../src/domain/Address.ts"
import type { Faults } from "./faults.ts"
import type { Timeline, Trace } from "./Timeline.ts"

interface Surroundings {
  readonly timeline: Timeline
  readonly faults: Faults
  readonly trace: Trace
  readonly onDeath: (process: Process) => void
}

/** One executor process: alive, frozen or dead, with a clock of its own and a node that it asks. */
export class Process {
  readonly name: string
  isDead = false
  /** In milliseconds of the true time; in the past where it is not frozen. */
  frozenUntilMs = 0
  /** Its clock less the true time. */
  clockOffsetMs: number
  /** The newest confirmed block that a read was answered from: an older one is never read again. */
  served = 0
  /** How far the node that it asks is behind the chain, and until when. */
  lagBlocks = 0
  lagUntilMs = 0
  /** Whether it carries out a person's command and ends. */
  isOperator = false
  /** Whether its settings have the key of the account that pays the gas of refunds. */
  hasGasKey = true
  /** The parts of the wallets that it takes for its own; undefined where it takes all of them. */
  owned: ReadonlySet<number> | undefined
  /** What waits until it owns more. */
  readonly onGain: Array<() => void> = []
  /** For each mint order that it looked for: up to which block it has seen all mints. */
  readonly looked = new Map<string, number>()
  /** Payments that it has sent, by nonce and window. */
  readonly sent = new Set<Bytes32 | string>()
  readonly #around: Surroundings

  constructor(name: string, clockOffsetMs: number, around: Surroundings) {
    this.name = name
    this.clockOffsetMs = clockOffsetMs
    this.#around = around
  }

  /** What is in the middle of something never goes on. */
  die(how: string): void {
    if (this.isDead) return
    this.isDead = true
    this.#around.trace.say(this.name, `dies: ${how}`)
    this.#around.onDeath(this)
  }

  /**
   * Does what concerns this process at that moment of the true time: later where it is frozen then, never where it is
   * dead. Gives what takes it back.
   */
  at(atMs: number, action: () => void): () => void {
    const { timeline } = this.#around
    let takeBack = timeline.at(atMs, () => {
      if (this.isDead) return
      if (this.frozenUntilMs <= timeline.nowMs) return action()
      takeBack = this.at(this.frozenUntilMs, action)
    })
    return () => takeBack()
  }

  /** Between any two things that a process does it may die or stand still. */
  #checkpoint(where: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { faults, timeline, trace } = this.#around
      if (this.isDead) return Effect.never
      if (faults.strikes("process crashes")) {
        this.die(where)
        return Effect.never
      }
      if (faults.strikes("process freezes")) {
        const forMs = faults.random("process freezes").pick([1_000, 20_000, 90_000, 400_000, 900_000])
        this.frozenUntilMs = timeline.nowMs + forMs
        trace.say(this.name, `freezes for ${forMs / 1000} s ${where}`)
      }
      return this.wait(this.frozenUntilMs - timeline.nowMs)
    })
  }

  /** `work` of this process, which it may not live to begin, or not to see the end of. */
  does<A, E, R>(what: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.#checkpoint(`before ${what}`).pipe(
      Effect.andThen(work),
      Effect.tap(() => this.#checkpoint(`after ${what}`))
    )
  }

  /** By the clock of the process, which its fibers have. */
  wait(ms: number): Effect.Effect<void> {
    return ms <= 0 ? Effect.void : Effect.sleep(ms)
  }
}

/** The same service, with every call done by `process` and named in its story. */
export const interposed = <S extends object>(
  service: S,
  around: <A, E, R>(name: string, work: Effect.Effect<A, E, R>, args: ReadonlyArray<unknown>) => Effect.Effect<A, E, R>
): S =>
  new Proxy(service, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof name !== "string") return member
      if (Effect.isEffect(member)) return around(name, member, [])
      if (typeof member !== "function") return member
      return (...args: ReadonlyArray<unknown>) => around(name, Reflect.apply(member, undefined, args), args)
    }
  })
