import { encodeAbiParameters, keccak256, type Hex } from "viem"
import type { Address, Bytes32 } from "./Address.ts"
import { isLive, type TransferState } from "./Authorization.ts"
import type { KeyId } from "./Key.ts"
import type { Task, TaskId } from "./Task.ts"
import { times, type Usdc } from "./Usdc.ts"
import type { Wallet } from "./Wallet.ts"

/**
 * - `planned`: cut, and no live authorization exists.
 * - `signed`: an authorization is committed here and may have left; no answer is stored.
 * - `accepted`: the server says paid; the chain has not confirmed it yet.
 * - `unknown`: sent, and the answer proves nothing.
 * - `paid`: the chain shows the payment; the mints are not all there.
 * - `delivered`: paid, and every mint is on chain. Final, unless the chain is reorganised.
 * - `held`: something that must not happen did; a person decides.
 * - `resolved`: a person has decided. Final, as `minted` has it.
 */
export const BATCH_STATUSES = [
  "planned",
  "signed",
  "accepted",
  "unknown",
  "paid",
  "delivered",
  "held",
  "resolved"
] as const
export type BatchStatus = (typeof BATCH_STATUSES)[number]

/** Signed, and the chain has not shown what became of it. */
export const isLiveStatus = (status: BatchStatus): boolean => isLive({ status })

/** Live, or paid and not delivered: the batch has a next look, and its task cannot go on without it. */
export const isInFlight = (batch: Batch): boolean => isLive(batch) || batch.status === "paid"

/** Nothing is to be done for it any more. */
export const isFinal = (batch: Batch): boolean => batch.status === "delivered" || batch.status === "resolved"

/**
 * Requests for the mints of a batch that no live payment stands behind, of which the server may have carried out any:
 * one that only asks for the price, or a payment that has lapsed. What it minted is searched before the next one.
 */
export interface Asked {
  /** The confirmed block before the first of them: what they brought is in later blocks. */
  readonly since: bigint
  /**
   * When this block counts, all that they did at once is in sight. `undefined` while one may be on its way, or where a
   * process died over it.
   */
  readonly until: bigint | undefined
}

/** One payment and the mints that it buys. Written once, when the task is planned; never cut anew. */
export interface Batch extends TransferState<BatchStatus> {
  readonly taskId: TaskId
  /** 1, 2, 3, … within the task. */
  readonly number: number
  /** Ordinal in the task of the first mint of this batch, from 1. */
  readonly firstMint: number
  readonly quantity: number
  readonly token: Address
  readonly recipient: Address
  /** Base units of the token in one mint, as they were when it was planned. Without it each event is one mint. */
  readonly portion: bigint | undefined
  /** `undefined` where the server has certainly done nothing for it. */
  readonly asked: Asked | undefined
  /** When the payment last left, or was last answered: sets the pace of the next send. */
  readonly triedAtMs: number | undefined
  /**
   * A request about it is on its way to the mint server, and is answered by then or never: until then no other one
   * leaves. `undefined` where none is on its way.
   */
  readonly answerByMs: number | undefined
  /** How often the server has said that its work is done, while the chain shows nothing of it. */
  readonly claims: number
  /** What the server said against the present authorization, each text once: the first two and the last. */
  readonly said: ReadonlyArray<string>
  /** Mint transactions that the server named. */
  readonly mintTxs: ReadonlyArray<Bytes32>
  /** Under which the server can be asked about the payment, where it gave such a handle. */
  readonly reference: string | undefined
  /** Mints of this batch seen on chain. */
  readonly minted: number
  /** When it entered its present status. */
  readonly statusSinceMs: number
  /**
   * When the payment was signed that counts against the limits; `undefined` where nothing is signed, or what was is proven
   * void. Of a payment that only the chain knew, when it was found there.
   */
  readonly signedAtMs: number | undefined
  /** The key that placed its order. */
  readonly keyId: KeyId | undefined
}

/** What makes a nonce: nothing that an attempt, a setting or a new quote could change. */
interface NonceSeed {
  readonly chainId: number
  readonly usdc: Address
  readonly payer: Address
  readonly taskId: TaskId
  readonly number: number
}

/**
 * The EIP-3009 nonce of a batch. Computed again, after a crash or a restored backup, it is the same one,
 * and the USDC contract takes it once.
 */
export const nonceOf = (seed: NonceSeed): Bytes32 =>
  keccak256(
    encodeAbiParameters(
      [
        { type: "string" },
        { type: "uint256" },
        { type: "address" },
        { type: "address" },
        { type: "string" },
        { type: "uint256" }
      ],
      ["ai-mint/1", BigInt(seed.chainId), seed.usdc, seed.payer, seed.taskId, BigInt(seed.number)]
    ) satisfies Hex
  )

/** A batch that a person had replaced, or whose nonce was cancelled, leaves its number for one beyond the mints. */
const SPARE_NUMBERS = 20

/** Every number under which a batch of so many mints may ever have been paid. */
export const possibleNumbers = (mints: number): ReadonlyArray<number> =>
  Array.from({ length: mints + SPARE_NUMBERS }, (_, index) => index + 1)

/** A payment of this task that the chain knows and the ledger does not: the ledger is an older backup. */
export interface KnownPayment {
  readonly number: number
  /** Mints that it was for; `undefined` where that cannot be known. */
  readonly quantity: number | undefined
  readonly tx: Bytes32
  readonly block: bigint
  readonly value: Usdc
  readonly to: Address
}

interface PlanInput {
  readonly task: Task
  readonly wallet: Wallet
  readonly chainId: number
  readonly usdc: Address
  readonly batchSizeMax: number
  readonly known: ReadonlyArray<KnownPayment>
  /** Numbers under which nothing can be paid any more. */
  readonly dead?: ReadonlySet<number>
  /** Base units of the token in one mint, where they are known. */
  readonly portion?: bigint | undefined
  readonly nowMs: number
}

/**
 * Cuts what is still to be minted into batches. Payments that the chain already knows keep their number and enter as
 * paid; the rest is cut at `batchSizeMax` under the numbers that are free. Where it is not known what a payment was for,
 * it waits for a person with all that may be part of it, and nothing else is cut.
 */
export const planBatches = (input: PlanInput): ReadonlyArray<Batch> => {
  const batches: Array<Batch> = []
  let done = input.task.mintsCompleted
  const add = (number: number, quantity: number, payment?: KnownPayment) => {
    batches.push(newBatch(input, number, done + 1, quantity, payment))
    done += quantity
  }
  const unclear = input.known.filter(({ quantity }) => quantity === undefined)
  for (const payment of input.known) {
    if (payment.quantity !== undefined) add(payment.number, payment.quantity, payment)
  }
  for (const [index, payment] of unclear.entries()) {
    const share = Math.floor((input.task.quantity - done) / (unclear.length - index))
    add(payment.number, Math.max(1, share), payment)
  }
  if (unclear.length > 0) return batches
  const taken = new Set([...input.known.map(({ number }) => number), ...(input.dead ?? [])])
  for (let number = 1; done < input.task.quantity; number++) {
    if (!taken.has(number)) add(number, Math.min(input.batchSizeMax, input.task.quantity - done))
  }
  return batches
}

/** Nothing was signed, sent or minted for it. */
const UNTOUCHED = {
  version: 0,
  window: undefined,
  sends: 0,
  looks: 0,
  asked: undefined,
  triedAtMs: undefined,
  answerByMs: undefined,
  claims: 0,
  said: [],
  paymentTx: undefined,
  paymentBlock: undefined,
  paidAmount: undefined,
  mintTxs: [],
  reference: undefined,
  minted: 0,
  nextActionAtMs: undefined,
  signedAtMs: undefined
} satisfies Partial<Batch>

interface Replacement {
  readonly number: number
  readonly pricePerMint: Usdc
  readonly chainId: number
  readonly usdc: Address
}

/** A batch under a nonce of its own for the mints that another one, whose nonce can pay for nothing any more, lacks. */
export const replacementOf = (dead: Batch, { number, pricePerMint, chainId, usdc }: Replacement): Batch => {
  const { payer, taskId } = dead
  const quantity = dead.quantity - dead.minted
  return {
    ...dead,
    ...UNTOUCHED,
    number,
    firstMint: dead.firstMint + dead.minted,
    quantity,
    amount: times(pricePerMint, quantity),
    nonce: nonceOf({ chainId, usdc, payer, taskId, number }),
    status: "planned",
    reason: `in place of batch ${dead.number}`
  }
}

const newBatch = (
  { task, wallet, chainId, usdc, portion, nowMs }: PlanInput,
  number: number,
  firstMint: number,
  quantity: number,
  payment: KnownPayment | undefined
): Batch => {
  const isUnclear = payment !== undefined && payment.quantity === undefined
  return {
    taskId: task.id,
    number,
    walletId: wallet.id,
    firstMint,
    quantity,
    amount: times(task.pricePerMint, quantity),
    token: task.token,
    payer: wallet.agentAddress,
    payTo: payment?.to ?? task.token,
    recipient: task.userAddress,
    portion,
    nonce: nonceOf({ chainId, usdc, payer: wallet.agentAddress, taskId: task.id, number }),
    status: payment === undefined ? "planned" : isUnclear ? "held" : "paid",
    ...UNTOUCHED,
    paymentTx: payment?.tx,
    paymentBlock: payment?.block,
    paidAmount: payment?.value,
    signedAtMs: payment === undefined ? undefined : nowMs,
    keyId: task.keyId,
    nextActionAtMs: payment === undefined || isUnclear ? undefined : nowMs,
    reason:
      payment && `paid before the ledger was restored${isUnclear ? ", and it is not known for how many mints" : ""}`,
    statusSinceMs: nowMs
  }
}

/** A mint on chain: where it happened. */
interface MintedAt {
  readonly tx: Bytes32
  readonly block: bigint
}

/** So often is a transaction looked for that the server named and no node shows; then it is no longer waited for. */
const NAMED_LOOKS = 5

/**
 * Which of the mints that belong to no batch yet are this batch's: those in the transactions that the server named;
 * where it named none, the next ones since the payment's block, and where there are none, those before it: a server may
 * mint before it settles. Never more than are missing.
 */
export const mintsOf = <M extends MintedAt>(batch: Batch, unclaimed: ReadonlyArray<M>): ReadonlyArray<M> => {
  const missing = batch.quantity - batch.minted
  const named = unclaimed.filter((mint) => batch.mintTxs.includes(mint.tx))
  if (named.length > 0) return named.slice(0, missing)
  if (batch.mintTxs.length > 0 && batch.looks < NAMED_LOOKS) return []
  const sincePayment = unclaimed.filter((mint) => mint.block >= (batch.paymentBlock ?? 0n))
  return (sincePayment.length > 0 ? sincePayment : unclaimed).slice(0, missing)
}
