import type { SignedWindow } from "../../../src/domain/Authorization.ts"
import type { Address, Bytes32 } from "../../../src/domain/Address.ts"
import { short } from "../Timeline.ts"
import type { Oracle } from "./Oracle.ts"

/** What a batch and a refund have in common: an authorization with a nonce, and the windows that it is signed in. */
interface Transfer {
  readonly payer: Address
  readonly nonce: Bytes32
  readonly status: string
  readonly window?: SignedWindow | undefined
  readonly nextActionAtMs?: number | undefined
}

export const windowKey = (window: Pick<SignedWindow, "amount" | "payTo" | "validBefore">): string =>
  `${window.amount} to ${window.payTo} until ${window.validBefore}`

/** What is given up must be impossible by now. */
export const checkVoid = (oracle: Oracle, name: string, old: Transfer): void => {
  const { chain, thefts } = oracle.world
  // A thief with the key may cancel a nonce or use it for something else after its window has lapsed, too.
  const isPaid = chain.outcome(old.payer, old.nonce)._tag === "Used" && !thefts.nonces.has(old.payer + old.nonce)
  if (isPaid) oracle.report("I2", `${name} is given up, and it is paid`)
  const untilMs = (old.window?.validBefore ?? 0) * 1000
  if (chain.timeOf(chain.head) < untilMs) oracle.report("I2", `${name} is given up while it can still be paid`)
}

/** Every row that waits says until when. */
export const checkWaits = (oracle: Oracle, name: string, { status, nextActionAtMs }: Transfer): void => {
  if (nextActionAtMs === undefined || !Number.isFinite(nextActionAtMs)) {
    oracle.report("rows", `${name} is ${status} and has no next action time`)
  }
}

/** One live authorization for each transfer: a new window only when every older one has lapsed. */
export const onWindow = (oracle: Oracle, name: string, { nonce }: Transfer, window: SignedWindow): void => {
  const known = oracle.committed.get(nonce) ?? new Map()
  oracle.committed.set(nonce, known)
  const key = windowKey(window)
  const { chain } = oracle.world
  const headMs = chain.timeOf(chain.head)
  for (const [other, { validBefore }] of known) {
    if (other !== key && oracle.restores === 0 && headMs < validBefore * 1000) {
      oracle.report("I2", `${name} is signed anew (${key}) while ${short(nonce)} is live`)
    }
  }
  known.set(key, window)
}
