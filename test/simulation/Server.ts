import type { Bytes32 } from "../../src/domain/Address.ts"
import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import type { MintOrder, PaymentAnswer } from "../../src/mint/Minter.ts"
import type { Random } from "./random.ts"
import { meddle } from "./strangers.ts"
import { short } from "./Timeline.ts"
import type { World } from "./World.ts"

/** What the server is like for a whole run. */
export interface Traits {
  /** What it knows a payment by: else by its bytes, and then a new window is a new payment to it. */
  readonly knowsByNonce: boolean
  /** Whether it finds a payment on chain that it did not put there itself. */
  readonly looksAtChain: boolean
  /** Whether it names its mint transactions. */
  readonly namesMints: boolean
  /** Whether it stands being sent the same payment again; else it mints for it again. */
  readonly takesAgain: boolean
}

export const drawTraits = (random: Random): Traits => ({
  knowsByNonce: random.chance(0.6),
  looksAtChain: random.chance(0.7),
  namesMints: random.chance(0.7),
  takesAgain: random.chance(0.7)
})

/** A payment as the server remembers it. */
interface Known {
  readonly order: MintOrder
  payment: SignedAuthorization
  isBusy: boolean
  isSettled: boolean
  minted: number
  mintTxs: Array<Bytes32>
}

type Reply = (answer: PaymentAnswer) => void

const refused = (reason: string): PaymentAnswer => ({ _tag: "Refused", reason })
const unclear = (reason: string): PaymentAnswer => ({ _tag: "Unclear", reason })

/**
 * A mint server: settles a payment on chain and mints for it, once for each payment that it knows, whatever else goes
 * wrong. What it does goes on when the executor that asked for it is gone.
 */
export class MintServer {
  readonly #world: World
  readonly #traits: Traits
  /** It does what it is paid for and never answers. */
  readonly #isMute: boolean
  readonly #known = new Map<string, Known>()

  constructor(world: World, traits: Traits) {
    this.#world = world
    this.#traits = traits
    this.#isMute = world.faults.strikes("server never answers")
  }

  get takesAgain(): boolean {
    return this.#traits.takesAgain
  }

  /** A paid order has arrived. */
  receive(order: MintOrder, payment: SignedAuthorization, answer: Reply): void {
    const { faults, timeline } = this.#world
    const isMute = (this.#isMute && !faults.isHealed) || faults.strikes("payment is never answered")
    const reply: Reply = isMute ? () => {} : answer
    if (timeline.nowMs < this.#world.serverOutageUntilMs) return reply(unclear("the server answered 503"))
    if (faults.strikes("server refuses")) return reply(refused("the server answered 400: order refused"))
    const key = this.#traits.knowsByNonce ? payment.nonce : payment.signature
    const known = this.#known.get(key) ?? { order, payment, isBusy: false, isSettled: false, minted: 0, mintTxs: [] }
    this.#known.set(key, known)
    known.payment = payment
    if (known.isBusy) return reply(unclear("settlement_pending"))
    if (known.isSettled && known.minted >= order.quantity && this.#traits.takesAgain) return this.#accept(known, reply)
    if (faults.strikes("accepted and not settled")) {
      meddle(this.#world, payment)
      return reply({ _tag: "Accepted", mintTxs: [], paymentTx: undefined })
    }
    meddle(this.#world, payment)
    known.isBusy = true
    // Even who mints first asks the chain whether the payment would be taken.
    const isGood = this.#world.chain.wouldSettle(payment)
    if (!known.isSettled && known.minted === 0 && isGood && faults.strikes("mint before settlement")) {
      this.#mint(known, () => this.#settle(known, reply, () => this.#accept(known, reply)))
    } else {
      this.#settle(known, reply, () => this.#serve(known, reply))
    }
  }

  #settle(known: Known, reply: Reply, onSettled: () => void): void {
    const { chain, faults, trace } = this.#world
    const { payment } = known
    if (known.isSettled || (this.#traits.looksAtChain && chain.settled.has(payment.signature))) {
      known.isSettled = true
      return onSettled()
    }
    let atMs = 0
    if (faults.strikes("settled just before validBefore")) atMs = payment.validBefore * 1000 - 2_000
    else if (faults.strikes("tried just after validBefore")) atMs = payment.validBefore * 1000
    else if (faults.random("settled just before validBefore").chance(0.2)) {
      atMs = this.#world.timeline.nowMs + faults.random("settled just before validBefore").int(2, 20) * 1000
    }
    chain.submit((block) => {
      const result = chain.settle(payment, block)
      trace.say(
        "server",
        `settles ${short(payment.nonce)} in block ${block}: ${result._tag === "done" ? "done" : result.why}`
      )
      if (result._tag === "done") {
        known.isSettled = true
        return onSettled()
      }
      known.isBusy = false
      const isUsed = result.why.includes("used")
      reply(isUsed ? unclear("the nonce is already used") : refused(`the facilitator says ${result.why}`))
    }, atMs)
  }

  /** Paid: mint, and say so in one way or another. */
  #serve(known: Known, reply: Reply): void {
    const { faults, timeline } = this.#world
    if (faults.strikes("settled and refused")) reply(refused("the server answered 402: payment required"))
    if (faults.strikes("settled and unclear")) {
      const answers = ["the server answered 408", "the server answered 500", "settlement_pending"]
      reply(unclear(faults.random("settled and unclear").pick(answers)))
    }
    const isSilent = faults.strikes("answer lost after settlement")
    const answered: Reply = isSilent ? () => {} : reply
    if (faults.strikes("mint fails after payment")) {
      known.isBusy = false
      return this.#accept(known, answered)
    }
    const answer = () => this.#accept(known, answered)
    if (!faults.strikes("mint later than the answer")) return this.#mint(known, answer)
    const laterMs = faults.random("mint later than the answer").pick([3, 10, 40, 120]) * 1000
    this.#accept(known, answered)
    timeline.after(laterMs, () => this.#mint(known, () => {}))
  }

  #mint(known: Known, onMinted: () => void): void {
    const { chain, faults, trace } = this.#world
    const { order, payment } = known
    const count = this.#traits.takesAgain ? order.quantity - known.minted : order.quantity
    const first = count > 1 && faults.strikes("mints in two transactions") ? Math.ceil(count / 2) : count
    const mint = (part: number, rest: number) => (block: number) => {
      const tx = chain.mint({ ...order, nonce: payment.nonce }, part, block)
      if (tx === undefined) {
        trace.say("server", `has no mint left for ${short(payment.nonce)}`)
        known.isBusy = false
        return onMinted()
      }
      known.mintTxs.push(tx)
      known.minted += part
      trace.say("server", `mints ${part} for ${short(payment.nonce)} in block ${block}`)
      if (rest > 0) return chain.submit(mint(rest, 0))
      known.isBusy = false
      onMinted()
    }
    if (count > 0) return chain.submit(mint(first, count - first))
    known.isBusy = false
    onMinted()
  }

  #accept(known: Known, reply: Reply): void {
    const { chain } = this.#world
    const outcome = chain.outcome(known.payment.from, known.payment.nonce)
    reply({
      _tag: "Accepted",
      mintTxs: this.#traits.namesMints ? [...known.mintTxs] : [],
      paymentTx: outcome._tag === "Used" ? outcome.tx : undefined
    })
  }

  /** Its transactions left the chain, and it sees that. */
  forget(nonce: Bytes32, isUnpaid: boolean): void {
    const { chain } = this.#world
    const left = chain.mints.filter((mint) => mint.nonce === nonce)
    for (const known of this.#known.values()) {
      if (known.payment.nonce !== nonce) continue
      if (isUnpaid) known.isSettled = false
      if (isUnpaid) chain.settled.delete(known.payment.signature)
      known.minted = left.length
      known.mintTxs = known.mintTxs.filter((tx) => left.some((mint) => mint.tx === tx))
    }
  }

  /** Trouble is over: mints what was paid, in any way, and never minted. */
  repair(sent: Iterable<{ readonly order: MintOrder; readonly payment: SignedAuthorization }>): void {
    const { chain } = this.#world
    const minted = new Set(chain.mints.map(({ nonce }) => nonce))
    for (const { order, payment } of sent) {
      const known = [...this.#known.values()].filter((candidate) => candidate.payment.nonce === payment.nonce)
      if (!chain.settled.has(payment.signature) || minted.has(payment.nonce) || known.some(({ isBusy }) => isBusy))
        continue
      const repaired = { order, payment, isBusy: true, isSettled: true, minted: 0, mintTxs: [] }
      for (const one of known) this.#known.set(one.payment.signature, repaired)
      this.#known.set(this.#traits.knowsByNonce ? payment.nonce : payment.signature, repaired)
      minted.add(payment.nonce)
      this.#mint(repaired, () => {})
    }
  }
}
