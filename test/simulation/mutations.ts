import type { Fault } from "./faults.ts"
import { MUTATIONS_OF_PAY_INS } from "./mutationsOfPayIns.ts"
import { MUTATIONS_OF_SEVERAL } from "./mutationsOfSeveral.ts"

/** Other words in one place of production code. */
export interface Patch {
  /** From the root of the project. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

export const patch = (source: string, { file, find, replace }: Patch): string => {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times what is to be replaced: ${find}`)
  return parts.join(replace)
}

/** A mistake in production code, which the simulation has to notice. */
export interface Mutation {
  readonly name: string
  /** More than one where a second guard would make up for the mistake. */
  readonly patches: ReadonlyArray<Patch>
  /** Kinds of fault that show it, where they are rare. */
  readonly frequent?: ReadonlyArray<Fault>
  /** In so many seeds it is noticed, with room to spare. */
  readonly withinSeeds: number
}

export const MUTATIONS: ReadonlyArray<Mutation> = [
  {
    name: "every plan draws new nonces",
    patches: [
      {
        file: "src/domain/Batch.ts",
        find: "seed.taskId, BigInt(seed.number)]",
        replace: "seed.taskId, BigInt(globalThis.drawn = (globalThis.drawn ?? 0) + 1)]"
      }
    ],
    withinSeeds: 200
  },
  {
    name: "a nonce follows from the size of its batch",
    patches: [
      {
        file: "src/domain/Batch.ts",
        find: "nonce: nonceOf({ chainId, usdc, payer: wallet.agentAddress, taskId: task.id, number }),",
        replace:
          "nonce: nonceOf({ chainId, usdc, payer: wallet.agentAddress, taskId: task.id, number: number * 100 + quantity }),"
      }
    ],
    withinSeeds: 200
  },
  {
    name: "what the server accepted counts as paid",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: 'status: batch.status === "paid" ? "paid" : "accepted",',
        replace: 'status: "paid",'
      }
    ],
    withinSeeds: 5
  },
  {
    name: "mints are counted before they are there",
    patches: [
      {
        file: "test/support/memory/steps.ts",
        find: "batches.reduce((total, sibling) => total + sibling.minted, countedBefore)",
        replace: "batches.reduce((total, sibling) => total + sibling.quantity, countedBefore)"
      }
    ],
    withinSeeds: 20
  },
  {
    name: "the deadline is looked at before the balance",
    patches: [
      {
        file: "src/domain/PaymentDecision.ts",
        find: "if (isUnread && (isThere || cancels))",
        replace: 'if (isOverdue(task, evidence)) return { _tag: "Cancel" }\n    if (isUnread && (isThere || cancels))'
      }
    ],
    withinSeeds: 50
  },
  {
    name: "an order is funded though its wallet has changed",
    patches: [
      {
        file: "test/support/memory/sweep.ts",
        find: "return state.version === version && state.provenBlock <= block.number",
        replace: "return state.provenBlock <= block.number"
      }
    ],
    withinSeeds: 800
  },
  {
    name: "a batch is written without a check of its version",
    patches: [
      {
        file: "test/support/memory/steps.ts",
        find: "      const stored = draft.batches.get(batchKey(before))\n      if (stored?.version !== before.version || stored.status !== before.status) return false",
        replace:
          "      const stored = draft.batches.get(batchKey(before))\n      if (stored === undefined) return false"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "unknown counts as not paid",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: 'return block.timeMs >= (window?.validBefore ?? 0) * 1000 ? "void" : "unknown"',
        replace: 'return "void"'
      }
    ],
    withinSeeds: 5
  },
  {
    name: "a window lapses by this process's clock",
    patches: [
      {
        file: "src/executor/Transfers.ts",
        find: "switch (classifyEvidence(transfer, outcome, block, payees)) {",
        replace:
          "const nowMs = yield* Clock.currentTimeMillis\n" +
          "  switch (classifyEvidence(transfer, outcome, { ...block, timeMs: nowMs }, payees)) {"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "an unexplained nonce counts as unused",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: 'case "Unexplained":\n      return "unknown"',
        replace: 'case "Unexplained":\n      return "void"'
      }
    ],
    withinSeeds: 100
  },
  {
    name: "a window never lapses",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: 'return block.timeMs >= (window?.validBefore ?? 0) * 1000 ? "void" : "unknown"',
        replace: 'return "unknown"'
      }
    ],
    withinSeeds: 50
  },
  {
    name: "a balance from before the last payment counts",
    patches: [
      {
        file: "test/support/memory/state.ts",
        find: "provenBlock: spent !== undefined && spent.block > provenBlock ? spent.block : provenBlock,",
        replace: "provenBlock,"
      }
    ],
    withinSeeds: 200
  },
  {
    name: "signed payments are not reserved",
    patches: [
      {
        file: "test/support/memory/reservations.ts",
        find: "if (isFinal(batch) || batch.paymentTx !== undefined) return nothing",
        replace: "if (isFinal(batch) || isLive(batch) || batch.paymentTx !== undefined) return nothing"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "planned payments are not reserved",
    patches: [
      {
        file: "test/support/memory/reservations.ts",
        find: "if (isFinal(batch) || batch.paymentTx !== undefined) return nothing",
        replace: 'if (isFinal(batch) || batch.status === "planned" || batch.paymentTx !== undefined) return nothing'
      }
    ],
    withinSeeds: 100
  },
  {
    name: "an order is funded with what may be spent already",
    patches: [
      {
        file: "src/domain/PaymentDecision.ts",
        find: "const certain = [...paidFrom(freeAtLeast(money))].filter(([id]) => atMost.has(id))",
        replace: "const certain = [...atMost]"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "an order is cancelled while a payment is unproven",
    patches: [
      {
        file: "src/domain/PaymentDecision.ts",
        find: "const isUnpaid = (evidence.orders.maybeSpent === 0n || !isThere) &&",
        replace: "const isUnpaid = (true || !isThere) &&"
      }
    ],
    withinSeeds: 200
  },
  {
    name: "a mint may belong to two batches",
    patches: [
      {
        file: "src/executor/Transfers.ts",
        find: "return mints.filter((mint) => !claimed.has(mintKey(mint)))",
        replace: "return mints.filter((mint) => !claimed.has(mintKey(mint)) || mint)"
      }
    ],
    withinSeeds: 50
  },
  {
    name: "a payment is sent again without a look for its mints",
    patches: [
      {
        file: "src/executor/settle.ts",
        find: "if (takesAgain && mayGo && !isMinted)",
        replace: "if (takesAgain && mayGo && (!isMinted || mayGo))"
      },
      {
        file: "src/executor/send.ts",
        find: "return isInTime && (yield* mintsFor(asking, true)).length === 0",
        replace: "return isInTime"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "a payment is sent again to a server that breaks on it",
    patches: [
      { file: "src/executor/settle.ts", find: "if (takesAgain && mayGo", replace: "if ((takesAgain || mayGo) && mayGo" }
    ],
    withinSeeds: 50
  },
  {
    name: "a lapsed batch is signed anew without a look for its mints",
    patches: [
      {
        file: "src/executor/settle.ts",
        find: "if (made > 0) return yield* holdBatch(batch, neverPaidFor({ length: made }))",
        replace: "if (minted.length < 0) return yield* holdBatch(batch, neverPaidFor(minted))"
      },
      {
        file: "src/domain/transferTransitions.ts",
        find: "asked: { since: transfer.window?.block ?? block.number, until: block.number },",
        replace: "asked: undefined,"
      }
    ],
    frequent: ["mint before settlement", "tried just after validBefore"],
    withinSeeds: 50
  },
  {
    name: "payments of before a restore are not imported",
    patches: [
      {
        file: "src/executor/plan.ts",
        find: "const known = existing.length > 0 ? NOTHING_RECOVERED : yield* recoverPayments(work, task, block)",
        replace: "const known = existing.length >= 0 ? NOTHING_RECOVERED : yield* recoverPayments(work, task, block)"
      }
    ],
    frequent: ["backup is restored"],
    withinSeeds: 200
  },
  {
    name: "a lost claim does not stop the payment",
    patches: [
      {
        file: "src/executor/pay.ts",
        find: 'yield* Effect.tapErrorTag(claiming, "Outrun", () => unasked)',
        replace: "yield* Effect.ignore(claiming)"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "any price is paid",
    patches: [
      { file: "src/domain/Offer.ts", find: "amount <= maxAmount\n", replace: "amount <= maxAmount || amount > 0n\n" }
    ],
    withinSeeds: 50
  },
  {
    name: "anybody is paid",
    patches: [
      {
        file: "src/domain/Offer.ts",
        find: "payees.some((payee) => payee === parse(payTo))",
        replace: "payees.length > 0"
      }
    ],
    withinSeeds: 100
  },
  {
    name: "an order of the same token does not wait for the one in flight",
    patches: [
      {
        file: "src/domain/NextStep.ts",
        find: "if (other !== undefined) return wait",
        replace: "if (other?.taskId === task.id) return wait"
      },
      {
        file: "test/support/memory/steps.ts",
        find: "isAnotherInFlight(draft, before)",
        replace: "false"
      }
    ],
    withinSeeds: 200
  },
  {
    name: "an answer that proves nothing is not followed up",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: "batch.nextActionAtMs ?? nowMs) : lookAtMs,",
        replace: "batch.nextActionAtMs ?? nowMs) : lookAtMs > 0 ? undefined : lookAtMs,"
      }
    ],
    withinSeeds: 20
  },
  {
    name: "the log shows a signature",
    patches: [
      {
        file: "src/executor/pay.ts",
        find: "{ task: task.id, batch: batch.number, wallet: batch.payer, nonce: batch.nonce }",
        replace: "{ task: task.id, batch: batch.number, wallet: batch.payer, nonce: signature.success.signature }"
      }
    ],
    withinSeeds: 50
  },
  {
    name: "deposits never enter the books",
    patches: [
      {
        file: "test/support/memory/deposits.ts",
        find: ": state.bookBalance + sum(since.map(({ amount }) => amount)),",
        replace: ": state.bookBalance,"
      }
    ],
    withinSeeds: 20
  },
  {
    name: "the cursor always moves",
    patches: [
      {
        file: "src/executor/syncDeposits.ts",
        find: 'standing === "even" && whole.has(orders.wallet.id) && (fresh.length > 0 || isBehind(orders, block))',
        replace: "[orders, standing, fresh].length > 0"
      }
    ],
    withinSeeds: 200
  },
  ...MUTATIONS_OF_SEVERAL,
  ...MUTATIONS_OF_PAY_INS
]
