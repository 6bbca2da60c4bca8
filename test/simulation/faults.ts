import type { Random } from "./random.ts"

interface Kind {
  /** How likely at each occasion, in a run whose luck is ordinary. */
  readonly rate: number
  /** In which part of the runs it happens at all. */
  readonly share: number
}

/** Of what has few occasions. */
const usual = (rate: number): Kind => ({ rate, share: 0.8 })
const often = (rate: number): Kind => ({ rate, share: 0.5 })
const seldom = (rate: number): Kind => ({ rate, share: 0.2 })

/** Everything that goes wrong, by name. The report counts each. */
export const FAULTS = {
  // Asked at every read of the chain.
  "rpc error": often(0.03),
  "rpc hang": often(0.01),
  "rpc lagging node, and says so": often(0.02),
  "rpc lagging node, unnoticed": often(0.05),
  "rpc without logs": often(0.04),
  // Asked once a minute.
  "rpc outage": seldom(0.06),
  "chain makes no blocks": often(0.05),
  "chain catches up with old times": often(0.5),
  // Asked at every payment that is sent.
  "payment lost before settlement": often(0.1),
  "answer lost after settlement": often(0.12),
  "settled and refused": often(0.08),
  "settled and unclear": often(0.1),
  "accepted and not settled": often(0.05),
  "mint fails after payment": often(0.1),
  "mint later than the answer": often(0.15),
  "mints in two transactions": often(0.2),
  "mint before settlement": often(0.1),
  "settled just before validBefore": often(0.06),
  "tried just after validBefore": often(0.06),
  "submitted by a third party": often(0.06),
  "authorization cancelled by the key": seldom(0.1),
  "nonce used for another transfer": seldom(0.08),
  // Asked at every price and every payment.
  "server refuses": often(0.05),
  "server outage": often(0.03),
  "server asks more": often(0.05),
  "server asks less": often(0.08),
  "server names another payee": seldom(0.05),
  // Asked at every question to the ledger and every write.
  "ledger lost before commit": often(0.01),
  "ledger lost after commit": often(0.01),
  "ledger hangs": often(0.005),
  // Asked before and after every call of a process.
  "process crashes": often(0.006),
  "process freezes": often(0.004),
  // Asked once a minute.
  "process is stopped": often(0.04),
  "two executors": often(0.5),
  "clock jumps forward": often(0.04),
  "clock jumps back": often(0.04),
  "backup is restored": seldom(0.04),
  "batch size changes": often(0.5),
  // Asked for every order.
  "paid early": often(0.15),
  "paid late": often(0.15),
  "paid at the last moment": often(0.15),
  "paid in parts": often(0.2),
  "paid too much": often(0.15),
  "paid too little": often(0.15),
  "paid for several at once": often(0.2),
  "never paid": often(0.15),
  "order that cannot be carried out": seldom(0.05),
  // Asked at every refund that is sent.
  "refund rpc error": usual(0.25),
  "refund lost before the chain": usual(0.25),
  "refund answer lost": usual(0.25),
  "refund sent late": usual(0.25),
  "refund lands just before validBefore": usual(0.25),
  "refund lands just after validBefore": usual(0.25),
  // Asked when an executor starts, and once a minute.
  "executor without a gas key": seldom(0.3),
  "gas account is empty": seldom(0.05),
  // Drawn once a minute, and counted where the command was carried out.
  refund: usual(0.7),
  "operator cancels": often(0.15),
  "operator retries": usual(0.4),
  "operator ends a hold": usual(0.4),
  "operator resolves as delivered": usual(0.4),
  "operator resolves as replaced": usual(0.5),
  "operator resolves as failed": usual(0.3),
  "operator reopens a wallet": usual(0.3),
  "operator pauses": often(0.15),
  "operator resumes": usual(0.6),
  // Asked once a minute.
  "executor is down for over an hour": seldom(0.03),
  "money is taken with a stolen key": seldom(0.04),
  "USDC is paused": seldom(0.06),
  "account on USDC's blacklist": seldom(0.04),
  // Asked at every question for logs.
  "rpc with a part of the logs": often(0.04),
  "rpc with logs twice": often(0.04),
  // Asked for every order.
  "paid an hour late": seldom(0.15),
  "user mints without us": seldom(0.15),
  "row that cannot be written": seldom(0.08),
  "order set to funded by another program": seldom(0.08),
  // Asked once for every wallet, token or run.
  "order left behind by v1.1": seldom(0.6),
  "token with few mints left": seldom(0.6),
  "server never answers": often(0.7),
  // Asked once a minute.
  "rpc with logs behind the state": often(0.08),
  // Drawn once a minute, and counted where the command was carried out.
  "operator withdraws a refund": often(0.2),
  // Asked once a minute.
  "chain is reorganised": often(0.06),
  // Asked for what a reorganisation concerns.
  "deposit does not come again": usual(0.3),
  "payment does not come again": usual(0.3),
  "mints do not come again": usual(0.2),
  // Asked at every payment, and at every price.
  "payment is never answered": usual(0.25),
  "price is never named": often(0.06),
  // Asked once a minute.
  "executors overlap": often(0.06),
  // Asked once for every run, and once a minute where it is so.
  "executors divide the wallets": often(0.5),
  "wallets change hands": often(0.1),
  // Asked at every payment, and at every price.
  "server has too much to do": often(0.06),
  // Asked for every order.
  "paid in by its client": often(0.3),
  // Asked for every pay-in.
  "order of the same cost beside a pay-in": usual(0.4),
  "payer without money": usual(0.1),
  "pay-in is never submitted": usual(0.2),
  "pay-in at the edge of its window": usual(0.3),
  "pay-in is submitted twice": usual(0.3),
  "pay-in cancelled by its payer": usual(0.1),
  "nonce of a pay-in used for another transfer": usual(0.1),
  // Drawn once a minute, and counted where the command was carried out.
  "operator limits payments": seldom(0.2),
  "operator ends a limit": usual(0.3)
} as const satisfies Record<string, Kind>

export type Fault = keyof typeof FAULTS

export const FAULT_NAMES = Object.keys(FAULTS) as ReadonlyArray<Fault>

/** Which kinds a run is about, where that is not left to its seed. */
export interface KindsOfFault {
  /** These and no others, for a shorter story. */
  readonly only?: ReadonlySet<Fault> | undefined
  /** These in any case, and at many occasions. */
  readonly frequent?: ReadonlySet<Fault> | undefined
}

/** How likely a kind is at each occasion that a run is to see much of. */
const FREQUENT_RATE = 0.3

/** What goes wrong in one run, drawn from its seed. */
export class Faults {
  readonly counts = new Map<Fault, number>()
  isHealed = false
  readonly #rates = new Map<Fault, number>()
  readonly #streams = new Map<Fault, Random>()

  constructor(random: Random, { only, frequent }: KindsOfFault) {
    const luck = random.fork("luck")
    // Some runs are nearly quiet: what goes wrong alone is seen best.
    const calm = luck.pick([0.2, 0.6, 1, 1, 1.6])
    for (const name of FAULT_NAMES) {
      const { rate, share } = FAULTS[name]
      const happens = luck.chance(share * Math.min(1, calm + 0.2))
      const drawn = rate * luck.pick([0.4, 1, 2]) * calm
      const ordinary = happens && (only === undefined || only.has(name)) ? Math.min(0.7, drawn) : 0
      this.#rates.set(name, frequent?.has(name) ? Math.max(FREQUENT_RATE, ordinary) : ordinary)
      this.#streams.set(name, random.fork(name))
    }
  }

  /** Whether it happens now. Nothing does once the run is healed. */
  strikes(name: Fault, weight = 1): boolean {
    if (!this.draws(name, weight)) return false
    this.count(name)
    return true
  }

  /** Whether it is tried now. It counts when it is done. */
  draws(name: Fault, weight = 1): boolean {
    const rate = this.#rates.get(name) ?? 0
    return !this.isHealed && rate > 0 && this.#streams.get(name)!.chance(rate * weight)
  }

  count(name: Fault): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  /** Chance that belongs to this kind: how long, how much. */
  random(name: Fault): Random {
    return this.#streams.get(name)!
  }
}
