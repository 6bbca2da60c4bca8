import { Duration, Redacted } from "effect"
import { base } from "../../src/config/Network.ts"
import { type Address, address, type Bytes32 } from "../../src/domain/Address.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { defaults } from "../support/settings.ts"
import { Chain, type Transfer } from "./Chain.ts"
import { Faults, type KindsOfFault } from "./faults.ts"
import { Keys } from "./Keys.ts"
import { Ledger } from "./Ledger.ts"
import { type Invariant, Oracle } from "./oracle/Oracle.ts"
import { makeRandom, type Random } from "./random.ts"
import { makeScheduler } from "./Runtime.ts"
import { drawTraits, MintServer } from "./Server.ts"
import { Timeline, Trace } from "./Timeline.ts"

const START_MS = Date.UTC(2026, 0, 1)

/** Secrets of the settings, which must be in no log. */
const ENCRYPTION_KEY = "5ec7e7".repeat(11).slice(0, 64)
const DATABASE_PASSWORD = "swordfish-of-the-database"

/** What a thief took with a stolen key: no fault of an executor. */
export class Thefts {
  readonly account = address("0x7e1ef00000000000000000000000000000000bad")
  readonly nonces = new Set<string>()
  /** Transactions of those that used no nonce. */
  readonly #txs = new Set<string>()

  note(payer: Address, nonce: Bytes32): void {
    this.nonces.add(payer + nonce)
  }

  noteTransfer(tx: Bytes32): void {
    this.#txs.add(tx)
  }

  has({ from, nonce, tx }: Pick<Transfer, "from" | "nonce" | "tx">): boolean {
    return nonce === undefined ? this.#txs.has(tx) : this.nonces.has(from + nonce)
  }
}

/** Everything that a run consists of, but the executors. All of it follows from the seed. */
export class World {
  readonly random: Random
  readonly timeline: Timeline
  readonly scheduler: ReturnType<typeof makeScheduler>["scheduler"]
  readonly faults: Faults
  readonly trace: Trace
  readonly keys = new Keys()
  readonly thefts = new Thefts()
  /** What v1.1 paid for orders that it left behind, and the mints of them that it had counted. */
  readonly byV1 = { paid: new Map<Bytes32, TaskId>(), counted: new Map<TaskId, number>() }
  readonly chain: Chain
  readonly server: MintServer
  readonly ledger: Ledger
  readonly oracle: Oracle
  readonly confirmations: number
  readonly tokens: ReadonlyArray<Address>
  /** Orders that another program's trigger keeps from being changed. */
  readonly unwritable = new Set<TaskId>()
  readonly logLines: Array<string> = []
  rpcOutageUntilMs = 0
  /** Up to which block the nodes give logs, and until when they stay there. */
  logsTo = { block: 0, untilMs: 0 }
  serverOutageUntilMs = 0
  /** Until when the server says that it has too much to do. */
  overloadedUntilMs = 0
  /** Until when the gas account has no gas money. */
  gasEmptyUntilMs = 0
  /** Until when the server keeps something up, by what it is and whom it is against. */
  readonly moods = new Map<string, number>()
  readonly #latencies: Random
  readonly #slowness: number
  /** Whether the log of this run tells all, with every field. */
  readonly #isTold: boolean
  /** Between two rounds of the loops. Slow ones cost this machine less, and leave more to happen in between. */
  readonly #intervals: Pick<SettingsShape, "checkInterval" | "mintInterval">
  /** Whether blocks wake the executors of this run. */
  readonly #checkTrigger: SettingsShape["checkTrigger"]
  readonly #prices: ReadonlyMap<Address, bigint>
  /** Requests that each process may have at the server: often fewer than there are wallets. */
  readonly #mintConcurrency: number

  constructor(seed: string, kinds: KindsOfFault, ignored?: ReadonlySet<Invariant>) {
    this.random = makeRandom(seed)
    const { scheduler, settle } = makeScheduler()
    this.scheduler = scheduler
    this.timeline = new Timeline(START_MS, settle)
    this.trace = new Trace(this.timeline)
    this.faults = new Faults(this.random, kinds)
    this.chain = new Chain(this.timeline, (payment) => this.keys.isSigned(payment))
    const traits = this.random.fork("traits")
    this.server = new MintServer(this, drawTraits(traits))
    this.confirmations = traits.pick([2, 2, 3])
    this.tokens = ["01", "02"].slice(0, traits.int(1, 2)).map((end) => address(`0x70ce${"0".repeat(34)}${end}`))
    this.#prices = new Map(this.tokens.map((token) => [token, traits.pick([1_000_000n, 2_050_000n, 30_000n])]))
    for (const token of this.tokens) {
      if (!this.faults.strikes("token with few mints left")) continue
      this.chain.limit(token, this.faults.random("token with few mints left").int(5, 60))
    }
    this.#slowness = traits.pick([0, 0.2, 0.8])
    this.#isTold = traits.chance(0.2)
    const seconds = traits.pick([
      [10, 5],
      [20, 10],
      [30, 15]
    ])
    this.#intervals = { checkInterval: Duration.seconds(seconds[0]!), mintInterval: Duration.seconds(seconds[1]!) }
    this.#checkTrigger = this.random.fork("trigger").pick(["block", "interval"])
    this.#latencies = this.random.fork("latencies")
    this.#mintConcurrency = this.random.fork("concurrency").pick([1, 1, 2, 3, 64])
    this.oracle = new Oracle(this, ignored)
    this.ledger = new Ledger((before, after, by) => this.oracle.onCommit(before, after, by))
  }

  priceOf(token: Address): bigint {
    return this.#prices.get(token) ?? 1_000_000n
  }

  /** How long a message takes. */
  latencyMs(): number {
    return this.#latencies.chance(this.#slowness) ? this.#latencies.int(1, 40) * 10 : 0
  }

  settings(maxBatchSize: number): SettingsShape {
    return {
      ...defaults,
      ...this.#intervals,
      checkTrigger: this.#checkTrigger,
      network: base,
      maxBatchSize,
      mintConcurrency: this.#mintConcurrency,
      confirmations: this.confirmations,
      agentEncryptionKey: Redacted.make(ENCRYPTION_KEY),
      databaseUrl: Redacted.make(`postgres://mint:${DATABASE_PASSWORD}@localhost/mint`),
      logLevel: this.#isTold ? "Debug" : "Info",
      logFormat: this.#isTold ? "logfmt" : "text"
    }
  }

  get secrets(): ReadonlyArray<string> {
    return [ENCRYPTION_KEY, DATABASE_PASSWORD, ...this.keys.privateKeys]
  }
}
