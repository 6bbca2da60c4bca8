import { type Address, address, ZERO } from "../../src/domain/Address.ts"
import type { TaskId } from "../../src/domain/Task.ts"
import type { WalletId } from "../../src/domain/Wallet.ts"
import { type AnyId, anyId } from "../support/anyId.ts"
import { digest } from "./Chain.ts"
import { PAYMENT_TIMEOUT_MS } from "./oracle/money.ts"
import { PayIns } from "./PayIns.ts"
import type { Random } from "./random.ts"
import { leaveBehind } from "./Version1.ts"
import type { World } from "./World.ts"

/** A person with an agent wallet. */
export interface Person {
  readonly walletId: WalletId
  readonly userAddress: Address
  readonly agentAddress: Address
}

const account = (name: string): Address => address(digest(name).slice(0, 42))

const uuid = (count: number): AnyId => anyId(`${count.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`)

/** People who place orders and pay for them, well or badly. */
export class People {
  readonly #world: World
  readonly #random: Random
  readonly #people: ReadonlyArray<Person>
  readonly #payIns: PayIns
  #orders = 0
  #mints = 0

  constructor(world: World) {
    this.#world = world
    this.#random = world.random.fork("people")
    this.#payIns = new PayIns(world, (person, { token, quantity, price }) =>
      this.#insert(person, token, quantity, price)
    )
    this.#people = Array.from({ length: this.#random.int(1, 4) }, (_, index) => this.#register(index + 1))
  }

  #register(number: number): Person {
    const { faults, keys, ledger } = this.#world
    const person = {
      walletId: uuid(0xa0000000 + number),
      userAddress: account(`user ${number}`),
      agentAddress: account(`agent ${number}`)
    }
    const { walletId: id, userAddress, agentAddress } = person
    ledger.insertWallet({ id, userAddress, agentAddress, encryptedPrivateKey: keys.make(agentAddress) })
    if (faults.strikes("order left behind by v1.1")) leaveBehind(this.#world, person, uuid(0xb0000000 + number))
    return person
  }

  /** Places all orders of the run, each in its time, and the payments for them. */
  order(endMs: number): void {
    const { timeline } = this.#world
    for (const person of this.#people) {
      const meanMs = this.#random.pick([120, 400, 900]) * 1000
      let atMs = timeline.nowMs + this.#random.int(0, 60_000)
      while (atMs < endMs) {
        this.#placeAt(person, atMs)
        atMs += Math.round(meanMs * (0.2 + 1.6 * this.#random.next()))
      }
    }
  }

  #placeAt(person: Person, atMs: number): void {
    const { faults, timeline, tokens } = this.#world
    if (faults.strikes("paid in by its client")) return this.#payIns.placeAt(person, atMs)
    const together = faults.strikes("paid for several at once") ? this.#random.int(2, 3) : 1
    const costs = Array.from({ length: together }, () => {
      const token = this.#random.pick(tokens)
      const quantity = this.#random.pick([1, 2, 3, 5, 7, 10, 12, 20, 25])
      const createdAtMs = atMs + this.#random.int(0, 3_000)
      const price = this.#world.priceOf(token)
      timeline.at(createdAtMs, () => this.#insert(person, token, quantity, price))
      return price * BigInt(quantity)
    })
    this.#payFor(
      person,
      atMs,
      costs.reduce((sum, cost) => sum + cost, 0n)
    )
  }

  #insert(person: Person, token: Address, quantity: number, price: bigint): void {
    const { faults, ledger, timeline, trace } = this.#world
    const id = uuid(++this.#orders)
    const isBad = faults.strikes("order that cannot be carried out")
    const totalCost = price * BigInt(quantity) + (isBad ? 1n : 0n)
    const { walletId, userAddress } = person
    const order = { id, walletId, userAddress, token, quantity, pricePerMint: price, totalCost }
    ledger.insertOrder({ ...order, createdAtMs: timeline.nowMs })
    if (faults.strikes("order set to funded by another program")) this.#setFunded(id)
    if (faults.strikes("row that cannot be written")) this.#lock(id)
    if (faults.strikes("user mints without us")) this.#mintDirectly(person, token)
    trace.say("people", `order ${id.slice(0, 8)} of ${walletId.slice(0, 8)}: ${quantity} for ${totalCost}`)
  }

  /** Another program's trigger keeps the row as it is: for ever, or for some minutes of its life. */
  #lock(id: TaskId): void {
    const { faults, timeline, unwritable } = this.#world
    const random = faults.random("row that cannot be written")
    if (random.chance(0.5)) return void unwritable.add(id)
    const fromMs = random.pick([5, 60, 300]) * 1000
    timeline.after(fromMs, () => unwritable.add(id))
    timeline.after(fromMs + random.pick([30, 300, 900]) * 1000, () => unwritable.delete(id))
  }

  #payFor(person: Person, atMs: number, cost: bigint): void {
    const { faults } = this.#world
    if (faults.strikes("never paid")) return
    let amount = cost
    if (faults.strikes("paid too much")) amount += this.#random.pick([1n, cost, 500_000n])
    if (faults.strikes("paid too little")) amount -= this.#random.pick([1n, cost / 3n])
    const payMs = atMs + 3_000 + this.#payDelayMs()
    if (!faults.strikes("paid in parts")) return this.#deposit(person, payMs, amount)
    const first = amount / this.#random.pick([2n, 3n, 10n])
    this.#deposit(person, payMs, first)
    this.#deposit(person, payMs + this.#random.int(1, 300) * 1000, amount - first)
  }

  #payDelayMs(): number {
    const { faults } = this.#world
    if (faults.strikes("paid an hour late")) return this.#random.int(3_000, 7_200) * 1000
    if (faults.strikes("paid early")) return -this.#random.int(4, 300) * 1000
    if (faults.strikes("paid late")) return PAYMENT_TIMEOUT_MS + this.#random.int(-5, 300) * 1000
    if (faults.strikes("paid at the last moment")) return PAYMENT_TIMEOUT_MS - this.#random.int(0, 20) * 1000
    return this.#random.int(0, 120) * 1000
  }

  /** By hand, or by a program that believes in the money, whether or not it is there. */
  #setFunded(id: TaskId): void {
    const { ledger, oracle, timeline, trace } = this.#world
    ledger.editOrder(id, { status: "funded", updatedAtMs: timeline.nowMs })
    oracle.funded.add(id)
    trace.say("people", `order ${id.slice(0, 8)} is set to funded by another program`)
  }

  /** The user's own mints of the token that they have ordered: neither paid for by an order, nor part of one. */
  #mintDirectly({ userAddress }: Person, token: Address): void {
    const { chain, timeline, trace } = this.#world
    const nonce = digest(`mint ${++this.#mints} of a user`)
    timeline.after(this.#random.int(0, 240) * 1000, () =>
      chain.submit((block) => {
        const count = this.#random.int(1, 3)
        if (chain.mint({ token, recipient: userAddress, nonce }, count, block) === undefined) return
        trace.say("people", `${userAddress.slice(0, 8)} mints ${count} without us in block ${block}`)
      })
    )
  }

  #deposit(person: Person, atMs: number, amount: bigint): void {
    const { chain, timeline, trace } = this.#world
    const { agentAddress } = person
    if (amount <= 0n) return
    timeline.at(Math.max(atMs, timeline.nowMs), () =>
      chain.submit((block) => {
        if (!chain.mayMove(ZERO, agentAddress)) return this.#deposit(person, timeline.nowMs + 60_000, amount)
        chain.transfer({ from: ZERO, to: agentAddress, amount, block, nonce: undefined })
        trace.say("people", `${amount} to ${agentAddress.slice(0, 8)} in block ${block}`)
      })
    )
  }
}
