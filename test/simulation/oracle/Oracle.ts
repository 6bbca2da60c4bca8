import type { Batch } from "../../../src/domain/Batch.ts"
import { type SignedAuthorization, isLive } from "../../../src/domain/Authorization.ts"
import type { Bytes32 } from "../../../src/domain/Address.ts"
import type { TaskId } from "../../../src/domain/Task.ts"
import type { MintOrder } from "../../../src/mint/Minter.ts"
import type { Tables } from "../../support/memory/MemoryLedger.ts"
import type { Process } from "../Process.ts"
import type { World } from "../World.ts"
import { watchBatches } from "./batches.ts"
import { watchBooks } from "./books.ts"
import { watchPayIns } from "./payIns.ts"
import { checkPayment } from "./payments.ts"
import { type AskedRefund, checkRefundSent, watchRefunds } from "./refunds.ts"
import { watchTasks } from "./tasks.ts"
import { watchWords } from "./words.ts"

export type Invariant =
  | "I1"
  | "I2"
  | "I3"
  | "I4"
  | "I5"
  | "I6"
  | "I7"
  | "I8"
  | "I9"
  | "I10"
  | "I11"
  | "I12"
  | "I13"
  | "rows"
  | "words"
  | "defect"

export interface Violation {
  readonly invariant: Invariant
  readonly what: string
}

/** Which batch a nonce was written down for, as the ledger said when it was seen first. */
export interface Owner {
  readonly taskId: TaskId
  readonly number: number
  readonly quantity: number
  readonly amount: bigint
}

/**
 * Watches the ledger, the payments and the chain, and knows the truth that no executor sees. It never asks `src/` what
 * is right.
 */
export class Oracle {
  readonly violations: Array<Violation> = []
  /** How often each arrow between states of a batch or a refund was taken. */
  readonly steps = new Map<string, number>()
  readonly owners = new Map<Bytes32, Owner>()
  /** Tasks that were funded at some time. */
  readonly funded = new Set<TaskId>()
  /** Windows that were committed for a nonce, as `windowKey` names them. */
  readonly committed = new Map<Bytes32, Map<string, SignedAuthorization | Batch["window"]>>()
  /** Every payment that left a process, with what it was to buy. */
  readonly sent: Array<{ readonly order: MintOrder; readonly payment: SignedAuthorization }> = []
  /** Refunds that were asked for, by nonce. */
  readonly refunds = new Map<Bytes32, AskedRefund>()
  /** Every refund that left a process for the chain. */
  readonly refundsSent: Array<SignedAuthorization> = []
  restores = 0
  /**
   * Payments that were sent, and that a restored backup shows as never signed. What a server made for them before they
   * could be settled, or for an order of another size, nobody here can know: its gift, and no mint that was asked twice.
   */
  readonly forgotten = new Set<Bytes32>()
  readonly world: World

  readonly #ignored: ReadonlySet<Invariant>

  constructor(world: World, ignored: ReadonlySet<Invariant> = new Set()) {
    this.world = world
    this.#ignored = ignored
  }

  report(invariant: Invariant, what: string): void {
    if (!this.#ignored.has(invariant)) this.violations.push({ invariant, what })
    this.world.trace.say("ORACLE", `${invariant} is broken: ${what}`)
  }

  onCommit(before: Tables, after: Tables, by: Process): void {
    watchBatches(this, before, after)
    watchRefunds(this, before, after)
    watchTasks(this, before, after, by)
    watchBooks(this, before, after)
    watchPayIns(this, before, after)
    watchWords(this, before, after, by)
  }

  takeStep(arrow: string): void {
    this.steps.set(arrow, (this.steps.get(arrow) ?? 0) + 1)
  }

  onRefundSent(payment: SignedAuthorization): void {
    checkRefundSent(this, payment)
    this.refundsSent.push(payment)
  }

  onPay(process: Process, order: MintOrder, payment: SignedAuthorization): void {
    checkPayment(this, process, order, payment)
    this.sent.push({ order, payment })
  }

  /** A backup takes the place of the ledger: what was signed since is not forgotten here. */
  onRestore(backup: Tables): void {
    this.restores++
    for (const { nonce, taskId, number, quantity, amount } of backup.batches.values()) {
      this.owners.set(nonce, { taskId, number, quantity, amount })
    }
    const signed = new Set([...backup.batches.values()].filter(({ sends }) => sends > 0).map(({ nonce }) => nonce))
    for (const { payment } of this.sent) if (!signed.has(payment.nonce)) this.forgotten.add(payment.nonce)
  }

  /** What a signed payment that the ledger does not know any more may still take out of a wallet. */
  forgottenOf(payer: string, tables: Tables): bigint {
    if (this.restores === 0) return 0n
    const batches = [...tables.batches.values()].filter(isLive)
    const refunds = [...tables.refunds.values()].filter(({ status }) => status === "signed")
    const known = new Set([...batches, ...refunds].map(({ nonce }) => nonce))
    const sent = [...this.sent.map(({ payment }) => payment), ...this.refundsSent]
    let sum = 0n
    for (const { from, nonce, value } of new Map(sent.map((payment) => [payment.nonce, payment])).values()) {
      if (from === payer && !known.has(nonce)) sum += value
    }
    return sum
  }
}
