import type { Mutation } from "./mutations.ts"

/** Mistakes about refunds, and those that production code has more than one guard against. */
export const MUTATIONS_OF_SEVERAL: ReadonlyArray<Mutation> = [
  {
    name: "a limit is looked at before the price is asked, and not in the claim",
    patches: [
      {
        file: "test/support/memory/steps.ts",
        find: " ||\n        exceedsLimit(draft, after)",
        replace: ""
      }
    ],
    frequent: ["operator limits payments"],
    withinSeeds: 100
  },
  {
    name: "what is signed counts against a limit once it is proven",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: "          signedAtMs: nowMs,\n          triedAtMs: nowMs,",
        replace: "          triedAtMs: nowMs,"
      },
      {
        file: "test/support/memory/limits.ts",
        find: "const { signedAtMs: nowMs = 0 } = signed",
        replace: "const nowMs = signed.statusSinceMs"
      }
    ],
    frequent: ["operator limits payments"],
    withinSeeds: 50
  },
  {
    name: "a limit of all payments covers none",
    patches: [{ file: "src/domain/Limit.ts", find: '  "all",\n  `token:', replace: "  `token:" }],
    frequent: ["operator limits payments"],
    withinSeeds: 50
  },
  {
    name: "a wallet is stopped at its first unexplained look",
    patches: [
      { file: "src/executor/missingFunds.ts", find: "const CHECKS_MAX = 3", replace: "const CHECKS_MAX = 1" },
      {
        file: "src/executor/missingFunds.ts",
        find: "nowMs - done.sinceMs >= UNEXPLAINED_MS",
        replace: "nowMs - done.sinceMs < UNEXPLAINED_MS"
      }
    ],
    frequent: ["backup is restored", "rpc lagging node, unnoticed"],
    withinSeeds: 200
  },
  {
    name: "the balance is read before the reservations",
    patches: [
      {
        file: "src/executor/Sweep.ts",
        find: "const seen = yield* readWallets({ chain, blockSeconds }, watched)",
        replace:
          "const seen = yield* readWallets({ chain, blockSeconds }, watched)\n" +
          "    const anew = new Map((yield* readOrders).orders.map((one) => [one.wallet.id, one]))\n" +
          "    for (const list of [usable, watched]) list.forEach((one, at) => { list[at] = anew.get(one.wallet.id) ?? one })"
      },
      {
        file: "src/domain/PaymentDecision.ts",
        find: 'return isOutdated(block, orders) ? { _tag: "Outdated" } : undefined',
        replace: "return undefined"
      },
      {
        file: "test/support/memory/sweep.ts",
        find: "return state.version === version && state.provenBlock <= block.number",
        replace: "return state.version === version"
      }
    ],
    withinSeeds: 600
  },
  {
    name: "the money of a refund is not reserved",
    patches: [
      {
        file: "test/support/memory/reservations.ts",
        find: "...refunds.map((refund) => refund.amount),",
        replace: ""
      },
      {
        file: "test/support/memory/reservations.ts",
        find: '...refunds.filter(({ status }) => status === "signed").map((refund) => refund.amount)',
        replace: ""
      }
    ],
    withinSeeds: 300
  },
  {
    name: "every attempt at a refund draws a new nonce",
    patches: [
      {
        file: "src/domain/transferTransitions.ts",
        find: ': { reason: "sent, waiting for the chain" })',
        replace:
          ': { nonce: `0x${(globalThis.drawn = (globalThis.drawn ?? 0) + 1).toString(16).padStart(64, "0")}`, reason: "sent" })'
      }
    ],
    withinSeeds: 20
  },
  {
    name: "a refund is signed again before its window has passed",
    patches: [
      {
        file: "src/executor/Transfers.ts",
        find: "switch (classifyEvidence(transfer, outcome, block, payees)) {",
        replace:
          "const window = !isBatch(transfer) && transfer.window ? { ...transfer.window, validBefore: 0 } : transfer.window\n" +
          "  switch (classifyEvidence({ ...transfer, window }, outcome, block, payees)) {"
      }
    ],
    withinSeeds: 20
  },
  {
    name: "a task is planned again with another batch size after a restart",
    patches: [
      {
        file: "src/executor/turn.ts",
        find: "const payBatch = yield* makePay",
        replace:
          "const payBatch = yield* makePay\n" +
          "  const planTask = yield* makePlan\n" +
          "  const { maxBatchSize } = yield* Settings"
      },
      {
        file: "src/executor/turn.ts",
        find: "done(payBatch(open, task, step.batch, place))",
        replace:
          "done(\n" +
          "      step.batch.quantity > maxBatchSize\n" +
          "        ? planTask(open, task, open.batches.filter((batch) => batch.taskId === task.id))\n" +
          "        : payBatch(open, task, step.batch, place)\n" +
          "    )"
      },
      {
        file: "src/executor/plan.ts",
        find: "existing.length > 0 ? [] : yield* cut(work, task, known)",
        replace: "yield* cut(work, task, known)"
      },
      {
        file: "test/support/memory/steps.ts",
        find: "if (batches.length > 0 && batchesOf(draft, task.id).length > 0) return false",
        replace: ""
      }
    ],
    withinSeeds: 50
  },
  {
    // An executor alone plans an order once: its actor is serial, and reads the batches before it plans.
    name: "two owners of a wallet both plan its order",
    patches: [
      {
        file: "test/support/memory/steps.ts",
        find: "if (!changeTask(draft, task, change, nowMs)) return false",
        replace:
          'if (!changeTask(draft, task, change, nowMs) && draft.tasks.get(task.id)?.status !== "processing") return false'
      },
      {
        file: "test/support/memory/steps.ts",
        find: "if (batches.length > 0 && batchesOf(draft, task.id).length > 0) return false",
        replace: ""
      }
    ],
    frequent: ["executors overlap"],
    withinSeeds: 20
  },
  {
    name: "a task fails while a batch is live",
    patches: [
      {
        file: "src/domain/NextStep.ts",
        find: "const inFlight = batches.find(isInFlight)",
        replace: "const inFlight = task.retryCount > 0 ? undefined : batches.find(isInFlight)"
      },
      {
        file: "src/domain/NextStep.ts",
        find: "const asked = batches.find(",
        replace: "const asked = (task.retryCount > 0 ? [] : batches).find("
      },
      {
        file: "src/domain/NextStep.ts",
        find: "if (other !== undefined) return wait",
        replace: "if (other !== undefined && task.retryCount === 0) return wait"
      },
      {
        file: "src/domain/NextStep.ts",
        find: 'if (task.retryCount >= maxRetryCount) return { _tag: "GiveUp"',
        replace: 'if (task.retryCount > 0) return { _tag: "GiveUp"'
      },
      {
        file: "test/support/memory/steps.ts",
        find: "return !batches.some(isInFlight)",
        replace: "return true"
      }
    ],
    withinSeeds: 100
  }
]
