import { Effect, Layer } from "effect"
import { usdc } from "../../src/domain/Usdc.ts"
import type { Strain } from "../../src/domain/RequestLimit.ts"
import type { Fault } from "./faults.ts"
import { Minter, type MintOrder, NoOffer, type PaymentAnswer } from "../../src/mint/Minter.ts"
import { base } from "../../src/config/Network.ts"
import { interposed, type Process } from "./Process.ts"
import { short } from "./Timeline.ts"
import type { World } from "./World.ts"

const MINT_TIMEOUT_MS = 60_000

/** The mint server as one process reaches it. */
export const minter = (world: World, process: Process): Layer.Layer<Minter> => {
  const { faults, timeline, trace, server } = world

  const noOffer = (reason: NoOffer["reason"], message: string, strain: Strain = {}) =>
    Effect.fail(new NoOffer({ reason, message, ...strain }))

  /** For a while it answers everything with 429 or 503; it may say how long it wants to be left alone. */
  const strainNow = (): Strain | undefined => {
    const random = faults.random("server has too much to do")
    if (faults.strikes("server has too much to do")) {
      world.overloadedUntilMs = timeline.nowMs + random.pick([0, 0, 5, 60, 300]) * 1000
    } else if (faults.isHealed || timeline.nowMs >= world.overloadedUntilMs) return undefined
    const retryAfterMs = random.pick([undefined, 0, 2_000, 30_000, 3_600_000])
    return { trouble: "Overloaded", ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }

  /** A server that begins with something may keep it up for a while, for one token or for one person. */
  const isInMood = (name: Fault, { token, recipient }: MintOrder): boolean => {
    const random = faults.random(name)
    if (!faults.isHealed && timeline.nowMs < (world.moods.get(name + token) ?? 0)) return true
    if (!faults.isHealed && timeline.nowMs < (world.moods.get(name + token + recipient) ?? 0)) return true
    if (!faults.strikes(name)) return false
    const subject = random.chance(0.5) ? token : token + recipient
    world.moods.set(name + subject, timeline.nowMs + random.pick([0, 0, 30, 200, 600]) * 1000)
    return true
  }

  const client = Minter.of({
    takesAgain: server.takesAgain,
    asksForPrice: true,
    follow: () => Effect.succeed(undefined),
    ping: Effect.succeed({ tookMs: 0, problem: undefined }),
    quote: (order) =>
      Effect.suspend(() => {
        const strain = strainNow()
        if (strain !== undefined) return noOffer("Unavailable", "the server answered 429", strain)
        if (timeline.nowMs < world.serverOutageUntilMs)
          return noOffer("Unavailable", "the server answered 503", { trouble: "Overloaded" })
        if (faults.strikes("server outage")) {
          const waitMs = faults.random("server outage").pick([0, 500, MINT_TIMEOUT_MS])
          const silence = noOffer("Unavailable", "the server does not answer", { trouble: "NoAnswer" })
          return Effect.andThen(process.wait(waitMs), silence)
        }
        if (faults.strikes("price is never named")) {
          const message = "no answer from the mint server within 60 seconds"
          const silence = noOffer("Unavailable", message, { trouble: "NoAnswer" })
          return Effect.andThen(process.wait(MINT_TIMEOUT_MS), silence)
        }
        if (isInMood("server refuses", order)) return noOffer("Refused", "the server answered 409: not for sale")
        const price = world.priceOf(order.token) * BigInt(order.quantity)
        let [amount, payTo] = [price, order.token as string]
        if (isInMood("server asks more", order)) amount += faults.random("server asks more").pick([1n, price])
        if (isInMood("server asks less", order)) amount -= faults.random("server asks less").pick([1n, price / 2n])
        if (isInMood("server names another payee", order)) payTo = world.thefts.account
        const offer = { scheme: "exact", network: `eip155:${base.chainId}`, asset: base.usdc.address }
        const quote = { offers: [{ ...offer, payTo, amount, maxTimeoutSeconds: 300 }], challenge: undefined }
        return Effect.as(process.wait(world.latencyMs()), { x402Version: 2, ...quote })
      }),
    pay: (order, _quote, _offer, payment) =>
      Effect.callback<PaymentAnswer>((resume) => {
        world.oracle.onPay(process, order, payment)
        trace.say(process.name, `pays ${payment.value} with ${short(payment.nonce)} until ${payment.validBefore}`)
        let isAnswered = false
        const answer = (said: PaymentAnswer) => {
          if (isAnswered) return
          isAnswered = true
          process.at(timeline.nowMs + world.latencyMs(), () => {
            trace.say(process.name, `hears ${said._tag}${said._tag === "Accepted" ? "" : `: ${said.reason}`}`)
            resume(Effect.succeed(said))
          })
        }
        const unanswered = (reason: string) => answer({ _tag: "Unclear", reason, trouble: "NoAnswer" })
        timeline.after(MINT_TIMEOUT_MS, () => unanswered("no answer within 60 seconds"))
        const strain = strainNow()
        if (strain !== undefined) return answer({ _tag: "Unclear", reason: "the server answered 429", ...strain })
        if (faults.strikes("payment lost before settlement")) {
          if (faults.random("payment lost before settlement").chance(0.5)) {
            unanswered("the connection was reset")
          }
          return
        }
        timeline.after(world.latencyMs(), () =>
          server.receive(order, { ...payment, value: usdc(payment.value) }, answer)
        )
      })
  })
  return Layer.succeed(
    Minter,
    interposed(client, (name, work) => process.does(name, work))
  )
}
