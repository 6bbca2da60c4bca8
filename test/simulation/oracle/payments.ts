import type { SignedAuthorization } from "../../../src/domain/Authorization.ts"
import type { MintOrder } from "../../../src/mint/Minter.ts"
import type { StoredMint } from "../../support/memory/MemoryLedger.ts"
import type { MintEvent } from "../Chain.ts"
import type { Process } from "../Process.ts"
import { short } from "../Timeline.ts"
import { windowKey } from "./transfers.ts"
import type { Oracle } from "./Oracle.ts"

/** Checks a payment at the moment at which it leaves a process. */
export const checkPayment = (
  oracle: Oracle,
  process: Process,
  order: MintOrder,
  payment: SignedAuthorization
): void => {
  const { chain, server } = oracle.world
  const name = `payment ${short(payment.nonce)}`
  const owner = oracle.owners.get(payment.nonce)
  if (owner === undefined) return oracle.report("I1", `${name} belongs to no batch`)
  const key = windowKey({ amount: payment.value, payTo: payment.to, validBefore: payment.validBefore })
  if (oracle.committed.get(payment.nonce)?.has(key) !== true) {
    oracle.report("I2", `${name} (${key}) leaves before it is committed`)
  }
  if (!oracle.funded.has(owner.taskId)) oracle.report("I1", `${name} is for a task that was never funded`)
  if (payment.value > owner.amount) oracle.report("I2", `${name} is ${payment.value}, the quote is ${owner.amount}`)
  if (payment.to !== order.token) oracle.report("I1", `${name} goes to ${payment.to}`)
  if (order.quantity !== owner.quantity) oracle.report("I3", `${name} asks for ${order.quantity} mints`)
  if (!server.takesAgain && oracle.sent.some((sent) => sent.payment.signature === payment.signature)) {
    oracle.report("I3", `${name} is sent again to a server that breaks on it`)
  }
  const seen = process.looked.get(order.token + order.recipient) ?? 0
  const made = chain.mintsOf(order.token, order.recipient).filter((mint) => mint.nonce === payment.nonce)
  const left = made.filter((mint) => mint.block <= seen).length - takenByOthers(oracle, owner, made)
  const isSeen = left >= order.quantity
  if (isSeen && !oracle.forgotten.has(payment.nonce)) {
    oracle.report("I3", `${name} asks again for mints that the sender has seen on chain`)
  }
}

/**
 * How many of these mints other batches have. After a reorganisation a batch finds its mints anew among all those of its
 * token and person, and one mint is as good as another.
 */
const takenByOthers = (
  { world }: Oracle,
  { taskId, number }: { readonly taskId: string; readonly number: number },
  made: ReadonlyArray<MintEvent>
): number => {
  const txs = new Set<string>(made.map(({ tx }) => tx))
  const isOther = (mint: StoredMint) => mint.taskId !== taskId || mint.batchNumber !== number
  return [...world.ledger.tables.mints.values()].filter((mint) => txs.has(mint.tx) && isOther(mint)).length
}
