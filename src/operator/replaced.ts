import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { cover, freeAtLeast } from "../domain/Allocation.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { type Batch, replacementOf } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { shortId } from "../domain/Task.ts"
import { format, minus, usdc, zero } from "../domain/Usdc.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import { isOpen, soundTask } from "./find.ts"
import { readMoney } from "./money.ts"
import { Refused } from "./Refused.ts"
import { firstTrace, unclaimedMints } from "./unclaimed.ts"

/**
 * The batch that buys the missing mints again, under the next number and so under a nonce of its own. Only where the
 * chain proves that the old nonce never paid for them and never will, and they were not minted all the same.
 */
export const replacementFor = Effect.fnUntraced(function* (file: TaskFile, batch: Batch) {
  const { network } = yield* Settings
  const named = `batch ${batch.number} of task ${shortId(batch.taskId)}`
  const missing = batch.quantity - batch.minted
  if (batch.status === "paid") return yield* new Refused({ message: neverTwice(named) })
  if (missing === 0) return yield* new Refused({ message: `No mint of ${named} is missing.` })
  yield* provenDead(file, batch, named)
  const stray = yield* unclaimedMints(file, batch)
  if (stray.length > 0) {
    const message =
      `${counted(stray.length, "mint")} on chain may be of ${named} and of no other batch: ` +
      "a replacement would buy them twice. Resolve it as delivered."
    return yield* new Refused({ message })
  }
  const number = Math.max(...file.batches.map((sibling) => sibling.number)) + 1
  const terms = {
    number,
    pricePerMint: usdc(file.row.pricePerMint),
    chainId: network.chainId,
    usdc: network.usdc.address
  }
  const replacement = replacementOf(batch, terms)
  const evidence = yield* affordable(file, batch, replacement.amount)
  return { replacement, evidence }
})

const neverTwice = (named: string): string =>
  `The chain shows that ${named} was paid. What is paid is never paid again: resolve it as delivered, or as failed.`

const provenDead = Effect.fnUntraced(function* (file: TaskFile, batch: Batch, named: string) {
  const { payer, nonce } = batch
  const { outcomes } = yield* (yield* ChainClient).readAuthorizations([
    { payer, nonce, fromBlock: yield* firstTrace(file, batch) }
  ])
  const outcome = outcomes[0] ?? ({ _tag: "Unexplained" } as const)
  switch (outcome._tag) {
    case "Canceled":
      return
    case "Used":
      if (yield* isPaymentFor(batch, outcome)) return yield* new Refused({ message: neverTwice(named) })
      return
    case "Unused": {
      const message =
        `The nonce of ${named} is unused: nothing proves that it is dead. ` +
        "Resolve it as delivered where the person has the mints, or as failed."
      return yield* new Refused({ message })
    }
    case "Unexplained": {
      const message = `The nonce of ${named} is spent, and the node has no log that says how: try again, or on a node with older logs.`
      return yield* new Refused({ message })
    }
  }
})

/** A transfer to the token, or to another payee of mints, may have bought them: only one to anybody else did not. */
const isPaymentFor = Effect.fnUntraced(function* (
  { window, payTo }: Batch,
  { to }: Extract<AuthorizationOutcome, { _tag: "Used" }>
) {
  return [payTo, window?.payTo, ...(yield* Settings).mintPayTo].includes(to)
})

/** What shows that the money is free. An order that has ended is not paid for now: `retry` checks the money then. */
const affordable = Effect.fnUntraced(function* (file: TaskFile, batch: Batch, amount: Batch["amount"]) {
  if (!isOpen(file.row.status)) return undefined
  const { wallet } = yield* soundTask(file)
  const { money, orders, block } = yield* readMoney(wallet)
  if (orders.stopped !== undefined) {
    const again = `ai-mint resolve --wallet ${wallet.agentAddress} --why "…"`
    return yield* new Refused({ message: `Its wallet is stopped: ${orders.stopped}. When that is clear: ${again}` })
  }
  const own = batch.paymentTx === undefined ? batch.amount : zero
  const others = { ...money, reserved: minus(money.reserved, own) }
  if (cover(others, amount) === "covered") return { version: orders.version, block }
  const free = freeAtLeast(others)
  const message =
    `The wallet holds ${format(free)} USDC for it, ${format(amount)} is needed: ` +
    `pay in ${format(minus(amount, free))} USDC to ${wallet.agentAddress} and try again.`
  return yield* new Refused({ message })
})
