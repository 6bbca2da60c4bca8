import { Clock, Effect, Result } from "effect"
import type { ChainError, Witness } from "../chain/ChainClient.ts"
import type { Address } from "../domain/Address.ts"
import type { AuthorizationOutcome } from "../domain/Authorization.ts"
import type { Batch } from "../domain/Batch.ts"
import { isBatch, retract, type Transfer, unmint, unpay } from "../domain/transferTransitions.ts"
import type { Block } from "../domain/Block.ts"
import type { Deposit, UnspentDeposit } from "../domain/Deposit.ts"
import type { Refund } from "../domain/Refund.ts"
import { shortId } from "../domain/Task.ts"
import { format, type Usdc, zero } from "../domain/Usdc.ts"
import type { WalletId } from "../domain/Wallet.ts"
import * as Log from "../ops/Log.ts"
import {
  type FoundDeposit,
  type LedgerError,
  mintKey,
  type RecordedAbove,
  TaskRepo,
  wasFirst
} from "../ledger/TaskRepo.ts"
import { Transfers } from "./Transfers.ts"

/** The nodes of the list, and how many of them must answer. */
export interface Panel {
  readonly witnesses: ReadonlyArray<Witness>
  readonly quorum: number
}

/** The fork and the block by which all is held against the chain of now, by each node that can be asked. */
interface Trial extends Panel {
  readonly fork: bigint
  readonly block: Block
}

/** What each node that answers has to say; `undefined` where too few do. */
export const askAll = Effect.fnUntraced(function* <A>(
  { witnesses, quorum }: Panel,
  ask: (witness: Witness) => Effect.Effect<A, ChainError>
) {
  const answers = yield* Effect.forEach(witnesses, (witness) => Effect.result(ask(witness)), {
    concurrency: "unbounded"
  })
  const given = answers.flatMap((answer) => (Result.isSuccess(answer) ? [answer.success] : []))
  return given.length >= quorum ? given : undefined
})

/**
 * - `clear`: the ledger is as the chain has it.
 * - `open`: a payment that is not on chain may still get there, and what then holds cannot be written yet.
 * - `contradicted`: the nodes say different things, or too few of them answer.
 */
export type Clarity = "clear" | "open" | "contradicted"

/** Takes back what was recorded and is no longer on chain. */
export const makeTakeBack = Effect.gen(function* () {
  const repo = yield* TaskRepo
  const verifyTransfer = yield* makeVerifyTransfer
  const verifyMints = yield* makeVerifyMints
  const verifyDeposits = yield* makeVerifyDeposits

  const verifyTransfers = Effect.fnUntraced(function* ({ payments, refunds }: RecordedAbove, trial: Trial) {
    const completed = new Set(payments.filter(({ isCompleted }) => isCompleted).map(({ batch }) => batch.nonce))
    const transfers = [...payments.map(({ batch }) => batch), ...refunds]
    const outcomes = yield* outcomesOf(transfers, trial)
    const found = yield* Effect.forEach(transfers, (transfer, index) =>
      verifyTransfer(transfer, outcomes[index], { block: trial.block, isCompleted: completed.has(transfer.nonce) })
    )
    return found.find((clarity) => clarity === "contradicted") ?? found.find((clarity) => clarity === "open") ?? "clear"
  })

  /** Holds all that was recorded above the fork against the chain of now. */
  return Effect.fnUntraced(function* (trial: Trial) {
    yield* repo.rewind(trial.fork)
    const recorded = yield* repo.recordedAbove(trial.fork)
    const transfers = yield* verifyTransfers(recorded, trial)
    // Read again: what was paid has other versions now.
    const mints = yield* verifyMints((yield* repo.recordedAbove(trial.fork)).minted, trial)
    const deposits = yield* verifyDeposits(recorded.deposits, trial)
    return mints && deposits ? transfers : "contradicted"
  })
})

/** What became of each nonce by all nodes that answer; `undefined` where they differ, or none explains it. */
const outcomesOf = Effect.fnUntraced(function* (paid: ReadonlyArray<Transfer>, trial: Trial) {
  if (paid.length === 0) return []
  const queries = paid.map(({ payer, nonce }) => ({ payer, nonce, fromBlock: trial.fork }))
  const answers = yield* askAll(trial, (witness) => witness.readAuthorizations(queries))
  return paid.map((_, index) => agreed((answers ?? []).map(({ outcomes }) => outcomes[index])))
})

/** A node that has not the logs of a spent nonce is heard as to its being spent. */
const agreed = (said: ReadonlyArray<AuthorizationOutcome | undefined>): AuthorizationOutcome | undefined => {
  const telling = said.filter((outcome) => outcome !== undefined && outcome._tag !== "Unexplained")
  const [first, ...others] = telling
  const isUnused = first?._tag === "Unused"
  if (first === undefined || (isUnused && telling.length < said.length)) return undefined
  return others.every((other) => outcomeContent(other) === outcomeContent(first)) ? first : undefined
}

const outcomeContent = (outcome: AuthorizationOutcome | undefined): string =>
  outcome === undefined || outcome._tag === "Unused" || outcome._tag === "Unexplained"
    ? (outcome?._tag ?? "")
    : `${outcome._tag} ${outcome.tx} ${outcome.block}`

const GONE = "its transaction is no longer on chain"

interface Now {
  readonly block: Block
  /** Its order was completed. */
  readonly isCompleted: boolean
}

const wordsOf = ({ taskId, number, paidAmount }: Batch): string =>
  `Task ${shortId(taskId)}, batch ${number}: the payment of ${format(paidAmount ?? 0n)} USDC is no longer on chain`

const fieldsOf = ({ taskId, number, paymentTx }: Batch) => ({ task: taskId, batch: number, tx: paymentTx })

const makeVerifyTransfer = Effect.gen(function* () {
  const { saveTransfer } = yield* Transfers

  /** What another program changes meanwhile is looked at again. */
  const save = <T extends Transfer>(before: T, after: T) =>
    Effect.map(wasFirst(saveTransfer(before, after)), (saved): Clarity => (saved ? "clear" : "contradicted"))

  /** A payment that the chain may still take is followed as any other. */
  const takeBackPayment = Effect.fnUntraced(function* (batch: Batch, isCompleted: boolean) {
    const reason = `the payment was on chain and is not any more: ${GONE}`
    const saved = yield* save(batch, retract(batch, yield* Clock.currentTimeMillis, reason))
    if (saved !== "clear") return saved
    yield* isCompleted
      ? Log.error(`🚨 ${wordsOf(batch)}, and the order was completed: look at it`, fieldsOf(batch))
      : Log.warn(`↩️ ${wordsOf(batch)}`, fieldsOf(batch))
    return saved
  })

  const takeBackRefund = Effect.fnUntraced(function* (refund: Refund) {
    const saved = yield* save(refund, retract(refund, yield* Clock.currentTimeMillis, GONE))
    if (saved === "clear") {
      yield* Log.warn(`↩️ A refund of ${format(refund.amount)} USDC to ${refund.payTo} is no longer on chain`)
    }
    return saved
  })

  /**
   * A person has decided, and may have had the mints bought again: that batch must not be taken up anew. Until the chain's
   * time is past its authorization the payment may come back.
   */
  const unpayResolved = Effect.fnUntraced(function* (batch: Batch, block: Block) {
    if (block.timeMs < (batch.window?.validBefore ?? 0) * 1000) {
      yield* Log.warnOnce(`gone:${batch.nonce}`, `⚠️ ${wordsOf(batch)}, and it may still come back`, fieldsOf(batch))
      return "open"
    }
    const saved = yield* save(
      batch,
      unpay(batch, `${batch.reason ?? "resolved"} (its payment left the chain for good)`)
    )
    if (saved === "clear") {
      const words = "and was resolved by a person: its money is the wallet's credit again"
      yield* Log.error(`🚨 ${wordsOf(batch)}, ${words}`, fieldsOf(batch))
    }
    return saved
  })

  return Effect.fnUntraced(function* (
    transfer: Transfer,
    outcome: AuthorizationOutcome | undefined,
    { block, isCompleted }: Now
  ): Effect.fn.Return<Clarity, LedgerError> {
    if (outcome === undefined) return "contradicted"
    if (outcome._tag !== "Used" || outcome.value !== transfer.paidAmount) {
      if (!isBatch(transfer)) return yield* takeBackRefund(transfer)
      return yield* transfer.status === "resolved"
        ? unpayResolved(transfer, block)
        : takeBackPayment(transfer, isCompleted)
    }
    if (outcome.tx === transfer.paymentTx && outcome.block === transfer.paymentBlock) return "clear"
    return yield* save(transfer, { ...transfer, paymentTx: outcome.tx, paymentBlock: outcome.block })
  })
})

const makeVerifyMints = Effect.gen(function* () {
  const repo = yield* TaskRepo

  const takeBackMints = Effect.fnUntraced(function* (batch: Batch) {
    const nowMs = yield* Clock.currentTimeMillis
    const fields = { task: batch.taskId, batch: batch.number }
    const words = `Task ${shortId(batch.taskId)}, batch ${batch.number}: mints of it are no longer on chain`
    if (batch.status === "resolved" || batch.status === "held") {
      yield* Log.errorOnce(`unminted:${batch.nonce}`, `🚨 ${words}, and it is ${batch.status}: look at it`, fields)
      return true
    }
    const after = unmint(batch, nowMs, "mints of it were on chain and are not any more, looking for them anew")
    const saved = yield* wasFirst(repo.saveBatch({ before: batch, after, withdrawsMints: true }, nowMs))
    if (saved) yield* Log.warn(`↩️ ${words}`, fields)
    return saved
  })

  /** All mints of a batch of which no node has one any more are searched anew. */
  return Effect.fnUntraced(function* (minted: RecordedAbove["minted"], trial: Trial) {
    const buyers = Map.groupBy(minted, ({ batch }) => `${batch.token} ${batch.recipient} ${batch.portion}`)
    let isClear = true
    for (const bought of buyers.values()) {
      const [one] = bought
      if (one === undefined) continue
      const { token, recipient, portion } = one.batch
      const query = { token, recipient, portion, fromBlock: trial.fork + 1n }
      const found = yield* askAll(trial, (witness) => witness.findMints(query))
      const there = new Set((found ?? []).flat().map(mintKey))
      for (const { batch, mints } of bought) {
        if (mints.every((mint) => there.has(mintKey(mint)))) continue
        isClear = found !== undefined && (yield* takeBackMints(batch)) && isClear
      }
    }
    return isClear
  })
})

/** Deposits are the same where transaction, wallet, sender and amount are: a block and an index only say where. */
const sameAs = ({ tx, wallet, from, amount }: Omit<UnspentDeposit, "left">): string => [tx, wallet, from, amount].join()

/** Of each deposit as many as the node has that has the most: logs that one of them lacks prove nothing. */
const fullest = (answers: ReadonlyArray<ReadonlyArray<Deposit>>): ReadonlyArray<Deposit> => {
  const most = new Map<string, ReadonlyArray<Deposit>>()
  for (const answer of answers) {
    for (const [content, deposits] of Map.groupBy(answer, sameAs)) {
      if (deposits.length > (most.get(content)?.length ?? 0)) most.set(content, deposits)
    }
  }
  return [...most.values()].flat()
}

const makeVerifyDeposits = Effect.gen(function* () {
  const repo = yield* TaskRepo

  /** Only where the wallets really hold less by all nodes: else the money is there, and the logs are short. */
  const withdrawDeposits = Effect.fnUntraced(function* (gone: ReadonlyArray<FoundDeposit>, trial: Trial) {
    const wallets = [...new Set(gone.map(({ wallet }) => wallet))]
    const balances = yield* askAll(trial, (witness) => witness.readBalances(wallets))
    if (balances === undefined) return false
    const balanceOf = (wallet: Address): Usdc =>
      balances.map(({ usdc }) => usdc.get(wallet) ?? zero).reduce((most, one) => (one > most ? one : most))
    const withdrawn = yield* repo.withdrawDeposits(
      gone.map((deposit) => ({ ...deposit, balance: balanceOf(deposit.wallet) })),
      yield* Clock.currentTimeMillis
    )
    for (const { amount, wallet, tx } of withdrawn) {
      yield* Log.warn(`↩️ ${format(amount)} USDC that arrived in ${wallet} is no longer on chain`, { wallet, tx })
    }
    return withdrawn.length === gone.length
  })

  return Effect.fnUntraced(function* (deposits: RecordedAbove["deposits"], trial: Trial) {
    if (deposits.length === 0) return true
    const { fork, block } = trial
    const wallets = [...new Set(deposits.map(({ wallet }) => wallet))]
    const query = { wallets, fromBlock: fork + 1n, toBlock: block.number }
    const answers = yield* askAll(trial, (witness) => witness.findDeposits(query))
    if (answers === undefined) return false
    const found = fullest(answers)
    const idOf = new Map<Address, WalletId>(deposits.map(({ wallet, walletId }) => [wallet, walletId]))
    const known = found.flatMap((deposit): ReadonlyArray<FoundDeposit> => {
      const walletId = idOf.get(deposit.wallet)
      return walletId === undefined ? [] : [{ ...deposit, walletId }]
    })
    // No books are opened and no cursor is moved by it.
    const counted = { version: -1n, balance: zero, isWhole: false }
    const walletIds = [...new Set(known.map(({ walletId }) => walletId))]
    yield* repo.recordDeposits(
      known,
      walletIds.map((walletId) => ({ ...counted, walletId })),
      block
    )
    const there = Map.groupBy(found, sameAs)
    const gone = [...Map.groupBy(deposits, sameAs)].flatMap(([content, recorded]) =>
      recorded.slice(there.get(content)?.length ?? 0)
    )
    return gone.length === 0 || (yield* withdrawDeposits(gone, trial))
  })
})
