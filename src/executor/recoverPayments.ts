import { Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import { Settings } from "../config/Settings.ts"
import { type KnownPayment, nonceOf, possibleNumbers } from "../domain/Batch.ts"
import { type Block, blockBefore } from "../domain/Block.ts"
import type { Task } from "../domain/Task.ts"
import type { Usdc } from "../domain/Usdc.ts"
import { Transfers } from "./Transfers.ts"
import type { OpenWork } from "../domain/WalletState.ts"

/** What the chain knows of an order that the ledger has never cut into batches. */
export interface RecoveredPayments {
  /** Made before the ledger was restored from a backup, by number. */
  readonly payments: ReadonlyArray<KnownPayment>
  /** Numbers whose nonce was cancelled: nothing can be paid under them any more. */
  readonly dead: ReadonlySet<number>
}

export const NOTHING_RECOVERED: RecoveredPayments = { payments: [], dead: new Set() }

interface Used {
  readonly number: number
  readonly tx: KnownPayment["tx"]
  readonly block: bigint
  readonly to: KnownPayment["to"]
  readonly value: Usdc
}

/** Finds payments of before the ledger was restored. */
export const makeRecoverPayments = Effect.gen(function* () {
  const { network } = yield* Settings
  const chain = yield* ChainClient
  const { noteProofs, unclaimedMints } = yield* Transfers

  /**
   * How many mints each payment was for. At the quoted price its value shows it, unless more mints came after it and before
   * the wallet's next payment to the same payee (no two batches of one token are ever in flight together): those may be
   * its own, for less, or the next one's, made before it was settled. A value that is no whole number of mints was asked
   * for less for sure: then the mints show it, where they are not fewer than such a value pays for at the quoted price, which
   * is the most that any payment was made at. Else not all of them are there yet.
   */
  const measure = Effect.fnUntraced(function* (work: OpenWork, task: Task, used: ReadonlyArray<Used>, block: Block) {
    const { token, userAddress: recipient } = task
    const fromBlock = used.reduce((first, one) => (one.block < first ? one.block : first), block.number)
    const portion = yield* chain.readPortion(token)
    const mints = yield* unclaimedMints({ token, recipient, portion }, fromBlock)
    const query = { wallets: [work.wallet.agentAddress], fromBlock, toBlock: block.number }
    const spending = yield* chain.findSpending(query)
    const sized = used.map((payment): KnownPayment => {
      const next = spending.find((other) => other.to === payment.to && other.block > payment.block)?.block
      const minted = mints.filter((mint) => mint.block >= payment.block && (next === undefined || mint.block < next))
      const isWhole = payment.value % task.pricePerMint === 0n
      const bought = Number((payment.value + task.pricePerMint - 1n) / task.pricePerMint)
      if (isWhole) return { ...payment, quantity: minted.length > bought ? undefined : bought }
      return { ...payment, quantity: minted.length < bought ? undefined : minted.length }
    })
    const total = sized.reduce((sum, { quantity = 0 }) => sum + quantity, 0)
    const fits = total <= task.quantity - task.mintsCompleted
    return fits ? sized : sized.map((payment) => ({ ...payment, quantity: undefined }))
  })

  /** Every nonce that the order could have paid with, asked of the chain. `undefined` where the node does not show it yet. */
  return Effect.fn("Wallet.recoverPayments")(function* (work: OpenWork, task: Task, block: Block) {
    const payer = work.wallet.agentAddress
    const seed = { chainId: network.chainId, usdc: network.usdc.address, payer, taskId: task.id }
    const fromBlock = blockBefore(block, task.createdAtMs, network.blockSeconds)
    const numbers = possibleNumbers(task.quantity - task.mintsCompleted)
    const queries = numbers.map((number) => ({ payer, nonce: nonceOf({ ...seed, number }), fromBlock }))
    const { outcomes } = yield* chain.readAuthorizations(queries)
    yield* noteProofs(outcomes)
    const used: Array<Used> = []
    const dead = new Set<number>()
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome._tag === "Unexplained") return undefined
      if (outcome._tag === "Canceled") dead.add(index + 1)
      if (outcome._tag === "Used") used.push({ ...outcome, number: index + 1 })
    }
    if (used.length === 0) return { payments: [], dead } satisfies RecoveredPayments as RecoveredPayments
    return { payments: yield* measure(work, task, used, block), dead } satisfies RecoveredPayments as RecoveredPayments
  })
})
