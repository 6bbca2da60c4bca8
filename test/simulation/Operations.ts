import type { Address } from "../../src/domain/Address.ts"
import type { Tables } from "../support/memory/MemoryLedger.ts"
import type { Fault } from "./faults.ts"
import { launch } from "./launch.ts"
import { Operators } from "./Operators.ts"
import { Owners } from "./Owners.ts"
import { Process } from "./Process.ts"
import type { Random } from "./random.ts"
import { short } from "./Timeline.ts"
import type { World } from "./World.ts"

const MINUTE_MS = 60_000
const BACKUPS_KEPT = 3

/** That run at once. */
const EXECUTORS_MAX = 3

/** Who starts the executors again when they end, and the weather around them. */
export class Operations {
  readonly #world: World
  readonly #random: Random
  readonly #processes = new Set<Process>()
  readonly #operators: Operators
  readonly #owners: Owners
  readonly #backups: Array<Tables> = []
  #wanted = 1
  #started = 0
  #batchSize = 10
  #isRestoring = false
  /** Until when no executor is started again. */
  #downUntilMs = 0

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork("operations")
    this.#operators = new Operators(world)
    this.#owners = new Owners(world)
    this.#batchSize = this.#random.pick([3, 5, 10, 25])
  }

  begin(): void {
    const { faults } = this.#world
    this.#wanted = faults.strikes("two executors", 1.5) ? 2 : 1
    for (let count = 0; count < this.#wanted; count++) this.#start()
    this.#everyMinute()
  }

  #start(clockOffsetMs = this.#random.pick([0, 0, -1_500, 2_500])): void {
    const { faults, timeline, trace } = this.#world
    if (this.#processes.size >= this.#wanted) return
    if (faults.strikes("batch size changes")) this.#batchSize = this.#random.pick([1, 3, 5, 10, 25])
    const process = new Process(`exec ${++this.#started}`, clockOffsetMs, {
      timeline,
      faults,
      trace,
      onDeath: (dead) => this.#onDeath(dead)
    })
    if (faults.isHealed) process.clockOffsetMs = 0
    process.hasGasKey = !faults.strikes("executor without a gas key")
    this.#processes.add(process)
    trace.say(process.name, `starts with MAX_BATCH_SIZE ${this.#batchSize}, clock ${process.clockOffsetMs} ms off`)
    this.#owners.welcome(process)
    launch(this.#world, process, this.#batchSize)
    this.#owners.divideAmong([...this.#processes])
  }

  #onDeath(process: Process): void {
    this.#processes.delete(process)
    this.#owners.divideAmong([...this.#processes])
    if (this.#isRestoring) return
    const { faults, timeline } = this.#world
    const seconds = faults.isHealed ? 5 : this.#random.pick([0, 1, 5, 30, 120, 400, 900])
    const atMs = Math.max(timeline.nowMs + seconds * 1000, this.#downUntilMs)
    timeline.at(atMs, () => !this.#isRestoring && this.#start())
  }

  #everyMinute(): void {
    const { faults, timeline } = this.#world
    if (faults.isHealed) return
    this.#outage("rpc outage", [20, 120, 700], (untilMs) => (this.#world.rpcOutageUntilMs = untilMs))
    this.#outage("server outage", [20, 90, 400], (untilMs) => (this.#world.serverOutageUntilMs = untilMs))
    this.#outage("gas account is empty", [30, 200, 600], (untilMs) => (this.#world.gasEmptyUntilMs = untilMs))
    this.#logsStandStill()
    this.#chainHalts()
    this.#circleActs()
    this.#reorganise()
    if (!this.#isRestoring) this.#operators.act()
    for (const process of this.#processes) this.#touch(process)
    this.#overlap()
    this.#owners.changeHands([...this.#processes])
    this.#goDown()
    this.#steal()
    this.#keepBackups()
    timeline.after(MINUTE_MS, () => this.#everyMinute())
  }

  #outage(name: Fault, seconds: ReadonlyArray<number>, begin: (untilMs: number) => void): void {
    const { faults, timeline, trace } = this.#world
    if (!faults.strikes(name)) return
    const forSeconds = faults.random(name).pick(seconds)
    trace.say("weather", `${name} for ${forSeconds} s`)
    begin(timeline.nowMs + forSeconds * 1000)
  }

  /** The logs of new blocks are not there yet, at any node, while their state is. Never for as long as a wallet's stop takes. */
  #logsStandStill(): void {
    const { chain, faults, logsTo, timeline, trace } = this.#world
    const isOver = timeline.nowMs > logsTo.untilMs + MINUTE_MS
    if (!isOver || !faults.strikes("rpc with logs behind the state")) return
    const forSeconds = faults.random("rpc with logs behind the state").pick([15, 45, 100])
    trace.say("weather", `the nodes give no logs of new blocks for ${forSeconds} s`)
    this.#world.logsTo = { block: chain.head, untilMs: timeline.nowMs + forSeconds * 1000 }
  }

  #chainHalts(): void {
    const { chain, faults, timeline, trace } = this.#world
    if (chain.isHalted || !faults.strikes("chain makes no blocks")) return
    const forSeconds = faults.random("chain makes no blocks").pick([15, 60, 300, 800])
    trace.say("weather", `the chain makes no blocks for ${forSeconds} s`)
    chain.halt()
    timeline.after(forSeconds * 1000, () => this.#chainGoesOn())
  }

  /** Deeper than `CONFIRMATIONS`. Most of what was in the old blocks comes again in the new ones, a little later. */
  #reorganise(): void {
    const { byV1, chain, faults, server, thefts, trace } = this.#world
    if (chain.isHalted || !faults.strikes("chain is reorganised")) return
    const random = faults.random("chain is reorganised")
    const depth = random.pick([4, 8, 20, 60])
    const mayBeLost = chain.losable(depth).filter((transfer) => {
      if (thefts.has(transfer) || (transfer.nonce !== undefined && byV1.paid.has(transfer.nonce))) return false
      return faults.draws(transfer.nonce ? "payment does not come again" : "deposit does not come again")
    })
    // Each was found to be losable with all the others there.
    const lost = new Set(mayBeLost.slice(0, 1))
    for (const { nonce } of lost) faults.count(nonce ? "payment does not come again" : "deposit does not come again")
    const unpaid = [...lost].flatMap(({ nonce }) => nonce ?? [])
    const fresh = chain.mints.filter(({ block }) => block > chain.head - depth).map(({ nonce }) => nonce)
    const unminted = [...new Set(fresh)].filter(() => faults.strikes("mints do not come again"))
    chain.reorganise(depth, random.pick([0, 1, 5]), lost, new Set([...unpaid, ...unminted]))
    for (const nonce of [...unpaid, ...unminted]) server.forget(nonce, unpaid.includes(nonce))
    trace.say("weather", `the chain is reorganised, ${depth} blocks deep; ${lost.size} transfer(s) are lost`)
  }

  /** Circle stops USDC altogether, or one account: a wallet, its user, or a token that is paid. */
  #circleActs(): void {
    const { chain, faults, ledger, timeline, tokens, trace } = this.#world
    if (!chain.isPaused && faults.strikes("USDC is paused")) {
      const forSeconds = faults.random("USDC is paused").pick([40, 300, 900])
      trace.say("circle", `pauses USDC for ${forSeconds} s`)
      chain.isPaused = true
      timeline.after(forSeconds * 1000, () => (chain.isPaused = false))
    }
    if (faults.strikes("account on USDC's blacklist")) {
      const random = faults.random("account on USDC's blacklist")
      const wallet = random.pick([...ledger.tables.wallets.values()])
      const account = random.pick([wallet.agentAddress, wallet.userAddress, random.pick(tokens)]) as Address
      const forSeconds = random.pick([60, 600, 6_000])
      trace.say("circle", `blacklists ${short(account)} for ${forSeconds} s`)
      chain.blacklisted.add(account)
      timeline.after(forSeconds * 1000, () => chain.blacklisted.delete(account))
    }
  }

  #chainGoesOn(): void {
    const { chain, faults, trace } = this.#world
    if (!chain.isHalted) return
    const catchesUp = faults.strikes("chain catches up with old times")
    trace.say("weather", `the chain makes blocks again${catchesUp ? ", all that were missed" : ""}`)
    chain.resume(catchesUp)
  }

  /** Longer than what is searched for deposits at once: more than 2,000 blocks. */
  #goDown(): void {
    const { faults, timeline, trace } = this.#world
    if (this.#isRestoring || !faults.strikes("executor is down for over an hour")) return
    const minutes = faults.random("executor is down for over an hour").int(68, 100)
    this.#downUntilMs = timeline.nowMs + minutes * MINUTE_MS
    trace.say("operator", `stops every executor for ${minutes} minutes`)
    for (const process of [...this.#processes]) process.die("stopped for long")
  }

  /** A thief with the key of a wallet sends its money away, by a transfer like any other. */
  #steal(): void {
    const { chain, faults, ledger, thefts, trace } = this.#world
    if (!faults.strikes("money is taken with a stolen key")) return
    const random = faults.random("money is taken with a stolen key")
    const from = random.pick([...ledger.tables.wallets.values()]).agentAddress as Address
    const part = random.pick([1n, 1n, 3n])
    chain.submit((block) => {
      const amount = chain.balance(from) / part
      if (amount === 0n || !chain.mayMove(from, thefts.account)) return
      thefts.noteTransfer(chain.transfer({ from, to: thefts.account, amount, block, nonce: undefined }))
      trace.say("thief", `takes ${amount} out of ${short(from)} in block ${block}`)
    })
  }

  /**
   * For a while more executors run than are wanted, each with a clock and a node of its own, and all of them take every
   * wallet for theirs: new ones beside an old one, or in place of one that stands still and comes back. Then as many end.
   */
  #overlap(): void {
    const { faults, timeline, trace } = this.#world
    const more = Math.min(2, EXECUTORS_MAX - this.#wanted)
    if (more === 0 || this.#isRestoring || !faults.strikes("executors overlap")) return
    const random = faults.random("executors overlap")
    const olds = [...this.#processes]
    const news = random.int(1, more)
    const lastsMs = random.pick([20, 90, 400, 900]) * 1000
    trace.say("operator", `starts ${news} more executor(s), for ${lastsMs / 1000} s`)
    const frozen = random.chance(0.5) ? olds[0] : undefined
    if (frozen !== undefined) {
      frozen.frozenUntilMs = timeline.nowMs + random.int(1, lastsMs / 1000) * 1000
      trace.say(frozen.name, "stands still, and is taken for dead")
    }
    this.#wanted += news
    for (let count = 0; count < news; count++) {
      this.#start(random.pick([0, -90_000, -2_000, 3_000, 200_000]))
    }
    for (const process of this.#processes) {
      if (olds.includes(process)) continue
      process.lagBlocks = random.pick([0, 3, 30])
      process.lagUntilMs = timeline.nowMs + lastsMs
    }
    const endsNewest = random.chance(0.3)
    timeline.after(lastsMs, () => {
      this.#wanted -= news
      const inOrder = [...this.#processes]
      const ends = endsNewest ? inOrder.slice(this.#wanted) : inOrder.slice(0, -this.#wanted)
      for (const process of ends) process.die("stopped, as there are too many")
    })
  }

  #touch(process: Process): void {
    const { faults, trace } = this.#world
    for (const [name, sign] of [
      ["clock jumps forward", 1],
      ["clock jumps back", -1]
    ] as const) {
      if (!faults.strikes(name)) continue
      process.clockOffsetMs += sign * faults.random(name).pick([3, 30, 200, 700, 1_500]) * 1000
      trace.say(process.name, `${name}: now ${process.clockOffsetMs} ms off`)
    }
    if (faults.strikes("process is stopped")) process.die("stopped")
  }

  #keepBackups(): void {
    const { faults, ledger } = this.#world
    if (this.#random.chance(0.3)) this.#backups.push(ledger.tables)
    if (this.#backups.length > BACKUPS_KEPT) this.#backups.shift()
    if (this.#backups.length > 0 && !this.#isRestoring && faults.strikes("backup is restored")) this.#restore()
  }

  /** By the operator's rule: every executor is stopped first. */
  #restore(): void {
    const { ledger, oracle, timeline, trace } = this.#world
    const backup = this.#random.pick(this.#backups)
    this.#isRestoring = true
    for (const process of [...this.#processes]) process.die("stopped for a restore")
    this.#operators.stop()
    timeline.after(this.#random.pick([1, 60, 400]) * 1000, () => {
      trace.say("operator", "restores a backup")
      oracle.onRestore(backup)
      ledger.restore(backup)
      this.#isRestoring = false
      for (let count = 0; count < this.#wanted; count++) this.#start()
    })
  }

  /** Everything works again, and a person has put right what cannot put itself right. */
  heal(): void {
    const { chain, faults, server, oracle, timeline, trace } = this.#world
    faults.isHealed = true
    trace.say("weather", "nothing goes wrong any more")
    this.#world.rpcOutageUntilMs = 0
    this.#world.serverOutageUntilMs = 0
    this.#world.gasEmptyUntilMs = 0
    chain.resume(false)
    chain.isPaused = false
    chain.blacklisted.clear()
    for (const process of this.#processes) {
      process.clockOffsetMs = 0
      process.frozenUntilMs = Math.min(process.frozenUntilMs, timeline.nowMs + 60_000)
    }
    this.#owners.divideAmong([...this.#processes])
    const repair = () => {
      server.repair(oracle.sent)
      this.#operators.resumeAll()
    }
    for (let minutes = 1; minutes <= 12; minutes += 3) timeline.after(minutes * MINUTE_MS, repair)
    // After a long downtime the executors have only begun.
    for (let minutes = 30; minutes <= 210; minutes += 20) timeline.after(minutes * MINUTE_MS, repair)
  }
}
