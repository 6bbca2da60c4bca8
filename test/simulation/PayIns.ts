import type { Address } from "../../src/domain/Address.ts"
import type { Authorization, SignedAuthorization } from "../../src/domain/Authorization.ts"
import { payInTaskId, placePayIn } from "../../src/domain/PayIn.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import { ZERO } from "../../src/domain/Address.ts"
import { base } from "../../src/config/Network.ts"
import { digest } from "./Chain.ts"
import type { Fault } from "./faults.ts"
import type { Random } from "./random.ts"
import type { World } from "./World.ts"
import type { Person } from "./People.ts"

/** For how long a client's payment is valid, in seconds: also for longer than its order is waited for. */
const WINDOWS_SECONDS = [20, 60, 120, 300, 900]

/** An order as a client places it, and what it costs. */
interface Wish {
  readonly token: Address
  readonly quantity: number
  readonly price: bigint
}

/**
 * Clients that pay for an order themselves, from accounts of their own. Who submits the payment, and what the answer was,
 * is nothing that an executor hears of: a crash between row and submission is a payment that is never submitted, and a
 * lost answer one that is submitted again.
 */
export class PayIns {
  readonly #world: World
  readonly #insert: (person: Person, wish: Wish) => void
  #count = 0

  /** `insert`: writes down an order that no client pays for. */
  constructor(world: World, insert: (person: Person, wish: Wish) => void) {
    this.#world = world
    this.#insert = insert
  }

  /** Places an order at this time, together with the payment for it, and submits that, well or badly. */
  placeAt(person: Person, atMs: number): void {
    const { faults, timeline, tokens } = this.#world
    const random = faults.random("paid in by its client")
    const token = random.pick(tokens)
    const wish = { token, quantity: random.pick([1, 2, 5, 10, 20]), price: this.#world.priceOf(token) }
    timeline.at(Math.max(atMs, timeline.nowMs), () => this.#place(person, wish, random))
    if (!faults.strikes("order of the same cost beside a pay-in")) return
    const besideMs = Math.max(timeline.nowMs, atMs + random.pick([-20, -2, 0, 2, 20]) * 1000)
    timeline.at(besideMs, () => this.#insert(person, wish))
    if (random.chance(0.5)) timeline.at(besideMs + random.int(1, 200) * 1000, () => this.#deposit(person, wish))
  }

  #deposit({ agentAddress }: Person, wish: Wish): void {
    const { chain } = this.#world
    chain.submit((block) => {
      if (!chain.mayMove(ZERO, agentAddress)) return
      chain.transfer({ from: ZERO, to: agentAddress, amount: costOf(wish), block, nonce: undefined })
    })
  }

  #place(person: Person, wish: Wish, random: Random): void {
    const { keys, ledger, timeline, trace } = this.#world
    const count = ++this.#count
    const payer = digest(`payer ${count % 3}`).slice(0, 42) as Address
    keys.make(payer)
    const { walletId, userAddress, agentAddress } = person
    const seconds = Math.floor(timeline.nowMs / 1000)
    const authorization: Authorization = {
      from: payer,
      to: agentAddress,
      value: usdc(costOf(wish)),
      validAfter: seconds - 600,
      validBefore: seconds + random.pick(WINDOWS_SECONDS),
      nonce: digest(`pay-in ${count}`)
    }
    const { chainId, usdc: contract } = base
    const taskId = payInTaskId({ chainId, usdc: contract.address, payer, nonce: authorization.nonce })
    const wallet = { id: walletId, agentAddress }
    const payIn = placePayIn({ authorization, wallet, taskId, nowMs: timeline.nowMs })
    const { token, quantity, price } = wish
    const order = { id: taskId, walletId, userAddress, token, quantity, pricePerMint: price, totalCost: costOf(wish) }
    ledger.insertPaidOrder({ ...order, createdAtMs: timeline.nowMs }, payIn)
    this.#say(taskId, `is placed with a pay-in of ${authorization.value}, valid until ${authorization.validBefore}`)
    trace.say("people", `order ${taskId.slice(0, 8)} of ${walletId.slice(0, 8)}: ${quantity} for ${order.totalCost}`)
    this.#pay(taskId, { ...authorization, signature: keys.signatureOf(authorization) }, random)
  }

  #say(taskId: TaskId, words: string): void {
    this.#world.trace.say("client", `order ${taskId.slice(0, 8)} ${words}`)
  }

  #pay(taskId: TaskId, payment: SignedAuthorization, random: Random): void {
    const { chain, faults } = this.#world
    if (!faults.strikes("payer without money")) {
      chain.submit((block) => {
        chain.transfer({ from: ZERO, to: payment.from, amount: payment.value, block, nonce: undefined })
      })
    }
    this.#interfere(taskId, payment, random)
    if (faults.strikes("pay-in is never submitted")) return
    const atEdge = faults.strikes("pay-in at the edge of its window")
    const edgeMs = payment.validBefore * 1000 - random.pick([4_000, 3_000, 2_000, 1_000, 1, 0, -2_000])
    const firstMs = atEdge ? edgeMs : this.#world.timeline.nowMs + random.int(3, 60) * 1000
    this.#submit(taskId, payment, firstMs)
    if (faults.strikes("pay-in is submitted twice")) this.#submit(taskId, payment, firstMs + random.int(0, 30) * 1000)
  }

  #submit(taskId: TaskId, payment: SignedAuthorization, atMs: number): void {
    const { chain, timeline } = this.#world
    timeline.at(Math.max(atMs, timeline.nowMs), () =>
      chain.submit((block) => {
        const done = chain.settle(payment, block)
        this.#say(taskId, done._tag === "done" ? `is paid in, in block ${block}` : `is not paid in: ${done.why}`)
      }, atMs)
    )
  }

  /** The payer takes the authorization back, or spends its nonce on something else. */
  #interfere(taskId: TaskId, payment: SignedAuthorization, random: Random): void {
    const { chain, faults, thefts, timeline } = this.#world
    const kind: Fault | undefined = faults.strikes("pay-in cancelled by its payer")
      ? "pay-in cancelled by its payer"
      : faults.strikes("nonce of a pay-in used for another transfer")
        ? "nonce of a pay-in used for another transfer"
        : undefined
    if (kind === undefined) return
    const other = random.pick([
      { ...payment, to: thefts.account },
      { ...payment, value: usdc(payment.value - 1n) }
    ])
    timeline.after(random.int(1, 60) * 1000, () =>
      chain.submit((block) => {
        const isDone =
          kind === "pay-in cancelled by its payer"
            ? chain.cancelAuthorization(payment.from, payment.nonce, block)
            : chain.useElsewhere(other, block)
        if (isDone) this.#say(taskId, `loses its pay-in in block ${block}: ${kind}`)
      })
    )
  }
}

const costOf = ({ price, quantity }: Wish): bigint => price * BigInt(quantity)
