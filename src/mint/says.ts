import type { PaymentAnswer } from "./Minter.ts"
import { cut, type Reply } from "./reply.ts"

/** What both protocols say of an answer: `mint server answered 402 with payment 0x…: insufficient_funds`. */
export const says = (reply: Reply, words: string | undefined, payment?: string): string => {
  const named = payment === undefined ? "" : ` with payment ${payment}`
  return cut(`mint server answered ${reply.status}${named}${words === undefined ? "" : `: ${words}`}`)
}

export const redirected = ({ status }: Reply): string | undefined =>
  status >= 300 && status < 400 ? "redirects are not followed, check SERVER_URL" : undefined

/** Said of a body that is not there (`Reply`). */
export const BROKEN_OFF = "the answer broke off or is too large"

/** `whose` is left out where it is the environment, or where it is open what became of the payment. */
export const unclear = (reason: string, whose?: Unclear["whose"]): Unclear => ({
  _tag: "Unclear",
  reason: cut(reason),
  ...(whose && { whose })
})

type Unclear = Extract<PaymentAnswer, { readonly _tag: "Unclear" }>
