import type { PaymentAnswer } from "./Minter.ts"
import { cutReason, type Reply } from "./reply.ts"

/** An answer, as both protocols report it: `mint server answered 402 with payment 0x…: insufficient_funds`. */
export const answerMessage = (reply: Reply, words: string | undefined, payment?: string): string => {
  const named = payment === undefined ? "" : ` with payment ${payment}`
  return cutReason(`mint server answered ${reply.status}${named}${words === undefined ? "" : `: ${words}`}`)
}

export const redirectNote = ({ status }: Reply): string | undefined =>
  status >= 300 && status < 400 ? "redirects are not followed, check SERVER_URL" : undefined

/** Reported where there is no body (`Reply`). */
export const BROKEN_OFF = "the answer broke off or is too large"

/** `whose` is left out for a fault of the environment, and where the outcome of the payment is open. */
export const unclear = (reason: string, whose?: Unclear["whose"]): Unclear => ({
  _tag: "Unclear",
  reason: cutReason(reason),
  ...(whose && { whose })
})

type Unclear = Extract<PaymentAnswer, { readonly _tag: "Unclear" }>
