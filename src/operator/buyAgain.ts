import { Effect } from "effect"
import { cover, freeAtLeast } from "../domain/Allocation.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import { type Batch, replacementOf } from "../domain/Batch.ts"
import { counted } from "../domain/text.ts"
import { shortId } from "../domain/Task.ts"
import { format, minus, usdc, zero } from "../domain/Usdc.ts"
import type { TaskFile } from "../ledger/DecisionRepo.ts"
import { isOpen, soundTask } from "./find.ts"
import { readMoney, refuseStopped } from "./money.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"
import { firstTrace, unclaimedMints } from "./unclaimed.ts"

/**
 * The batch that buys the missing mints again, under the next number and so under a nonce of its own. Only where the
 * chain proves that the old nonce never paid for them and never will, and they were not minted all the same.
 */
export const replacementFor = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch) {
  const { network } = services.settings
  const named = `batch ${batch.number} of task ${shortId(batch.taskId)}`
  const missing = batch.quantity - batch.minted
  if (batch.status === "paid") return yield* refuse(neverTwice(named))
  if (missing === 0) return yield* refuse(`No mint of ${named} is missing.`)
  yield* provenDead(services, file, batch, named)
  const stray = yield* unclaimedMints(services, file, batch)
  if (stray.length > 0) {
    return yield* refuse(
      `${counted(stray.length, "mint")} on chain may be of ${named} and of no other batch: ` +
        "a replacement would buy them twice. Resolve it as delivered."
    )
  }
  const number = Math.max(...file.batches.map((sibling) => sibling.number)) + 1
  const terms = {
    number,
    pricePerMint: usdc(file.row.pricePerMint),
    chainId: network.chainId,
    usdc: network.usdc.address
  }
  const replacement = replacementOf(batch, terms)
  const evidence = yield* affordable(services, file, batch, replacement.amount)
  return { replacement, evidence }
})

const neverTwice = (named: string): string =>
  `The chain shows that ${named} was paid. What is paid is never paid again: resolve it as delivered, or as failed.`

const provenDead = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch, named: string) {
  const { outcome } = yield* outcomeOf(services, file, batch, named)
  switch (outcome._tag) {
    case "Canceled":
      return
    case "Used":
      if (isPaymentFor(services, batch, outcome)) return yield* refuse(neverTwice(named))
      return
    case "Unused":
      return yield* refuse(
        `The nonce of ${named} is unused: nothing proves that it is dead. ` +
          "Resolve it as delivered where the person has the mints, or as failed."
      )
  }
})

/** A transfer to the token, or to another payee of mints, may have bought them: only one to another account did not. */
const isPaymentFor = (
  { settings }: Services,
  { window, payTo }: Batch,
  { to }: Extract<AuthorizationOutcome, { _tag: "Used" }>
): boolean => [payTo, window?.payTo, ...settings.mintPayTo].includes(to)

/** What shows that the money is free. An order that has ended is not paid for now: `retry` checks the money then. */
const affordable = Effect.fnUntraced(function* (
  services: Services,
  file: TaskFile,
  batch: Batch,
  amount: Batch["amount"]
) {
  if (!isOpen(file.row.status)) return undefined
  const { wallet } = yield* soundTask(file)
  const { money, orders, block } = yield* readMoney(services, wallet)
  if (orders.stopped !== undefined) return yield* refuseStopped(wallet.agentAddress, orders.stopped)
  const own = batch.paymentTx === undefined ? batch.amount : zero
  const others = { ...money, reserved: minus(money.reserved, own) }
  if (cover(others, amount) === "covered") return { version: orders.version, block }
  const free = freeAtLeast(others)
  return yield* refuse(
    `The wallet holds ${format(free)} USDC for it, ${format(amount)} is needed: ` +
      `pay in ${format(minus(amount, free))} USDC to ${wallet.agentAddress} and try again.`
  )
})

/**
 * Mints on chain that kept a batch from being paid, and that are not of this order: the person made them, or got them
 * elsewhere. They are set aside for good, and the batch is paid for as it was ordered, under its own nonce. Only where the
 * chain proves that it never was paid and that no signed payment of it is still good; `block` is the block of that proof.
 */
export const straysOf = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch) {
  const named = `Batch ${batch.number} of task ${shortId(batch.taskId)}`
  const block = yield* provenUnpaid(services, file, batch, named)
  return { strays: yield* unclaimedMints(services, file, batch), block }
})

const provenUnpaid = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch, named: string) {
  const { window } = batch
  const { block, outcome } = yield* outcomeOf(services, file, batch, named)
  switch (outcome._tag) {
    case "Used":
      return yield* refuse(
        `${named} was paid. What is paid is never paid again: resolve it as delivered, or as failed.`
      )
    case "Canceled":
      return yield* refuse(`The nonce of ${named} is cancelled and can pay for nothing: resolve it as replaced.`)
    case "Unused":
      if (window === undefined || block.timeMs >= window.validBefore * 1000) return block
      return yield* refuse(
        `A payment of ${named} was signed and is still good by the clock of the chain: try again in a few minutes.`
      )
  }
})

/** What the chain shows of the nonce of a batch. */
const outcomeOf = Effect.fnUntraced(function* (services: Services, file: TaskFile, batch: Batch, named: string) {
  const { payer, nonce } = batch
  const fromBlock = yield* firstTrace(services, file, batch)
  const { block, outcomes } = yield* services.chain.readAuthorizations([{ payer, nonce, fromBlock }])
  const [outcome] = outcomes
  if (outcome !== undefined && outcome._tag !== "Unexplained") return { block, outcome }
  return yield* refuse(
    `The nonce of ${named} is spent, and the node has no log that says how: try again, or on a node with older logs.`
  )
})
