import type { SignedAuthorization } from "../../src/domain/Authorization.ts"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Fault } from "./faults.ts"
import { short } from "./Timeline.ts"
import type { World } from "./World.ts"

/** When they act: at once, in the last moments of the payment's window, or when it has lapsed. */
const whenMs = ({ faults, timeline }: World, name: Fault, { validBefore }: SignedAuthorization): number => {
  const random = faults.random(name)
  return random.pick([
    0,
    0,
    timeline.nowMs + random.int(1, 60) * 1000,
    validBefore * 1000 - 2_000,
    validBefore * 1000 + 60_000
  ])
}

/** Sometimes it is not the payment that was seen, but the next one of the wallet: nonces can be computed. */
const victimOf = ({ faults, ledger }: World, name: Fault, payment: SignedAuthorization): SignedAuthorization => {
  if (!faults.random(name).chance(0.3)) return payment
  const { batches, refunds } = ledger.tables
  const next = [...refunds.values(), ...batches.values()].find(
    ({ payer, status }) => payer === payment.from && status === "planned"
  )
  return next === undefined ? payment : { ...payment, nonce: next.nonce, value: next.amount }
}

/** Others than executor and server who saw a payment, or have the key of its wallet. */
export const meddle = (world: World, payment: SignedAuthorization): void => {
  const { chain, faults, trace, thefts } = world
  const name = short(payment.nonce)
  if (faults.strikes("submitted by a third party")) {
    const submit = (block: number) => trace.say("stranger", `submits ${name}: ${chain.settle(payment, block)._tag}`)
    chain.submit(submit, whenMs(world, "submitted by a third party", payment))
  }
  if (faults.strikes("authorization cancelled by the key")) {
    const { from, nonce } = victimOf(world, "authorization cancelled by the key", payment)
    const cancel = (block: number) => {
      if (faults.isHealed || !chain.cancelAuthorization(from, nonce, block)) return
      trace.say("thief", `cancels ${short(nonce)} in block ${block}`)
    }
    chain.submit(cancel, whenMs(world, "authorization cancelled by the key", payment))
  }
  if (faults.strikes("nonce used for another transfer")) {
    const random = faults.random("nonce used for another transfer")
    const victim = victimOf(world, "nonce used for another transfer", payment)
    const { from, nonce } = victim
    // A payment of the next batch to the token would be a payment of the next batch.
    const to = victim !== payment || random.chance(0.5) ? thefts.account : victim.to
    const stolen = { ...victim, to, value: usdc(victim.value - 1n) }
    const use = (block: number) => {
      if (faults.isHealed || !chain.useElsewhere(stolen, block)) return
      thefts.note(from, nonce)
      trace.say("thief", `uses ${short(nonce)} for a transfer of ${stolen.value} in block ${block}`)
    }
    chain.submit(use, whenMs(world, "nonce used for another transfer", payment))
  }
}
