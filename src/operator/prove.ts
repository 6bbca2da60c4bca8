import { Array as Arr, Clock, DateTime, Effect } from "effect"
import type { Mint } from "../chain/ChainClient.ts"
import type { Bytes32 } from "../domain/Address.ts"
import type { Batch } from "../domain/Batch.ts"
import type { Task } from "../domain/Task.ts"
import type { Usdc } from "../domain/Usdc.ts"
import { mintKey } from "../ledger/TaskRepo.ts"
import type { TaskStory, TaskView } from "../ledger/WatchRepo.ts"
import { sign } from "../proof/digest.ts"
import type { Claims } from "../proof/Proof.ts"
import { findTask, missingTask, soundTask } from "./find.ts"
import { refuse } from "./Operator.ts"
import type { Services } from "./services.ts"

/**
 * All that the ledger has of an order's money and mints, as a document that can be checked against the chain without this program, signed
 * by the AI Agent Account where there is one. It changes nothing.
 */
export const prove = Effect.fn("operator.prove")(function* (services: Services, name: string) {
  const { settings, watch } = services
  const { task, wallet } = yield* soundTask(yield* findTask(services, name))
  const story = yield* watch.storyOf(task.id)
  if (story === undefined) return yield* missingTask(name)
  const deposits = story.deposits.filter(({ isWithdrawn }) => !isWithdrawn)
  const payments = story.batches.flatMap(paymentOf)
  if (deposits.length + payments.length === 0) return yield* refuse(NOTHING_PAID)
  const claimed = {
    type: "ai-mint/order-proof",
    version: 1,
    issuedAt: instant(yield* Clock.currentTimeMillis),
    chainId: settings.network.chainId,
    usdc: settings.network.usdc.address,
    order: { ...orderOf(task, story.task), agentWallet: wallet.agentAddress },
    quote: story.quote === undefined ? null : quoteOf(story.quote),
    deposits: deposits.map(({ tx, logIndex, block, from, amount, used }) => ({
      tx,
      logIndex,
      block: block.number,
      sender: from,
      amount,
      used
    })),
    payments,
    mints: yield* mintsOf(services, story),
    refunds: story.refunds.flatMap(refundOf),
    sellers: settings.mintStock.get(task.token) ?? []
  } as const
  const claims: Claims = { ...claimed, blocks: yield* hashesOf(services, claimed) }
  return yield* sign(claims, settings.aiAgentPrivateKey)
})

const NOTHING_PAID =
  "The ledger has no deposit and no payment of this order, so there is nothing that a chain could show. " +
  "An order that v1.1 minted has none either."

const instant = (ms: number): string => DateTime.formatIso(DateTime.makeUnsafe(ms))

const instantOrNull = (ms: number | undefined): string | null =>
  ms !== undefined && Number.isFinite(ms) ? instant(ms) : null

const orderOf = ({ id, userAddress: user, token, quantity, pricePerMint, totalCost }: Task, row: TaskView) => ({
  id,
  status: row.status,
  user,
  token,
  quantity,
  pricePerMint,
  totalCost,
  mintsCompleted: row.mintsCompleted,
  createdAt: instantOrNull(row.createdAtMs),
  fundedAt: instantOrNull(row.fundingReceivedAtMs),
  completedAt: instantOrNull(row.completedAtMs)
})

const quoteOf = ({ quotedAtMs, expiresAtMs, ...quote }: NonNullable<TaskStory["quote"]>) => ({
  ...quote,
  quotedAt: instant(quotedAtMs),
  expiresAt: instant(expiresAtMs)
})

/** What moved, where the chain has shown it. */
const movedBy = (transfer: {
  readonly paymentTx: Bytes32 | undefined
  readonly paymentBlock: bigint | undefined
  readonly paidAmount: Usdc | undefined
}) => {
  const { paymentTx: tx, paymentBlock: block, paidAmount: amount } = transfer
  return tx === undefined || block === undefined || amount === undefined ? undefined : { tx, block, amount }
}

const paymentOf = (batch: Batch): ReadonlyArray<Claims["payments"][number]> => {
  const moved = movedBy(batch)
  if (moved === undefined) return []
  const { number, quantity, nonce, payTo, window, portion = null } = batch
  return [
    {
      batch: number,
      quantity,
      nonce,
      nonceScheme: "ai-mint/1",
      payTo: window?.payTo ?? payTo,
      validAfter: window?.validAfter ?? null,
      validBefore: window?.validBefore ?? null,
      portion,
      ...moved
    }
  ]
}

const refundOf = (refund: TaskStory["refunds"][number]): ReadonlyArray<Claims["refunds"][number]> => {
  const moved = movedBy(refund)
  if (moved === undefined) return []
  const { id, nonce, payTo } = refund
  return [{ id, nonce, nonceScheme: "ai-mint/refund/1", payTo, ...moved }]
}

/** The mints of the ledger, each with the event that the chain shows for it; where the chain has it no more, without. */
const mintsOf = Effect.fnUntraced(function* (services: Services, { batches, mints }: TaskStory) {
  const shown = yield* findMints(
    services,
    batches.filter(({ minted }) => minted > 0)
  )
  return mints.map(({ batch, mintNumber, tx, part, logIndex, block }): Claims["mints"][number] => {
    const seen = shown.get(mintKey({ tx, part }))
    return {
      batch,
      mintNumber,
      tx,
      part,
      logIndex: seen?.logIndex ?? logIndex,
      event: seen?.event ?? null,
      block: seen?.block ?? block ?? null
    }
  })
})

/** By `mintKey`. Batches of an order differ in their portion at the most. */
const findMints = Effect.fnUntraced(function* ({ chain }: Services, batches: ReadonlyArray<Batch>) {
  const groups = [...Map.groupBy(batches, ({ portion }) => portion).values()]
  const found = yield* Effect.forEach(groups, (group) => {
    const [first] = group
    const begun = group.flatMap(({ window, paymentBlock }) => window?.block ?? paymentBlock ?? [])
    if (first === undefined || begun.length === 0) return Effect.succeed<ReadonlyArray<Mint>>([])
    const { token, recipient, portion } = first
    const fromBlock = begun.reduce((lowest, block) => (block < lowest ? block : lowest))
    // Of an order that is too old to be searched for, the ledger's own word is enough: who checks reads the receipts.
    return Effect.orElseSucceed(
      chain.findMints({ token, recipient, portion, fromBlock }),
      (): ReadonlyArray<Mint> => []
    )
  })
  return new Map(found.flat().map((mint) => [mintKey(mint), mint]))
})

type Places = Pick<Claims, "deposits" | "payments" | "mints" | "refunds">

/** Block hashes distinguish this chain from another fork of it. */
const hashesOf = Effect.fnUntraced(function* ({ chain }: Services, places: Places) {
  const { deposits, payments, mints, refunds } = places
  const numbers = Arr.dedupe([...deposits, ...payments, ...mints, ...refunds].flatMap(({ block }) => block ?? []))
  const hashes = yield* chain.readHashes(numbers)
  return Arr.zip(numbers, hashes).map(([number, hash]) => ({ number, hash }))
})
