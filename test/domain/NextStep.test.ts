import { assert, describe, it } from "@effect/vitest"
import type { Batch } from "../../src/domain/Batch.ts"
import { type NextStep, nextStep, stepsOf, waitingFor } from "../../src/domain/NextStep.ts"
import { messages, type Task } from "../../src/domain/Task.ts"
import { usdc, zero } from "../../src/domain/Usdc.ts"
import type { WalletWork } from "../../src/domain/WalletState.ts"
import { account, NOW_MS, plannedBatch, taskOf, uuid, wallet } from "./given.ts"

const TERMS = { nowMs: NOW_MS, maxRetryCount: 3 }

const order = taskOf({ id: uuid(1), status: "processing" })
const funded = taskOf({ id: uuid(1), status: "funded", reserved: true })
const planned = plannedBatch()

/** For a batch of 6 USDC. */
const dayLimit = { scope: "all", perDay: usdc(10_000_000n), used: zero, frees: [] } as const

const workOf = (
  tasks: ReadonlyArray<Task>,
  batches: ReadonlyArray<Batch>,
  more: Partial<WalletWork> = {}
): WalletWork => ({
  wallet,
  provenBlock: 0n,
  reserved: zero,
  maybeSpent: zero,
  tasks,
  batches,
  held: new Set(),
  completed: new Set(),
  refunds: [],
  stopped: undefined,
  pausedTokens: new Map(),
  limits: [],
  bad: [],
  ...more
})

const nameOf = (step: NextStep): string => (step._tag === "Wait" ? `Wait: ${step.why._tag}` : step._tag)

describe("the next step of an order", () => {
  const other = { ...planned, taskId: uuid(2), status: "signed" } as const
  const asked = { ...planned, answerByMs: NOW_MS + 5_000 }

  it.each<[string, Task, ReadonlyArray<Batch>, Partial<WalletWork>]>([
    ["Plan", funded, [], {}],
    ["TakeOver", order, [], {}],
    ["Plan", { ...order, adopted: true }, [], {}],
    ["Pay", order, [planned], {}],
    ["Settle", order, [{ ...planned, status: "signed" }], {}],
    ["Settle", order, [{ ...planned, status: "unknown" }], { stopped: "money is missing" }],
    ["Deliver", order, [{ ...planned, status: "paid" }], { pausedTokens: new Map([[order.token, "sold out"]]) }],
    ["Finish", order, [{ ...planned, status: "delivered" }], {}],
    ["Hold", order, [{ ...planned, status: "held" }], {}],
    ["GiveUp", { ...order, retryCount: 3 }, [planned], {}],
    ["Wait: Stopped", order, [planned], { stopped: "money is missing" }],
    ["Wait: Paused", order, [planned], { stopped: messages.paused("a complaint") }],
    ["Wait: Paused", order, [planned], { pausedTokens: new Map([[order.token, "sold out"]]) }],
    ["Wait: PriceAsked", order, [asked], {}],
    ["Wait: OtherFirst", order, [planned, other], {}],
    ["Pay", order, [planned, { ...other, token: account("9") }], {}],
    ["Wait: Limit", order, [planned], { limits: [{ ...dayLimit, used: usdc(4_000_001n) }] }],
    ["Pay", order, [planned], { limits: [{ ...dayLimit, used: usdc(4_000_000n) }] }],
    ["Pay", order, [planned], { limits: [{ ...dayLimit, scope: `token:${account("9")}`, used: dayLimit.perDay }] }],
    ["GiveUp", { ...order, retryCount: 3 }, [planned], { limits: [{ ...dayLimit, used: dayLimit.perDay }] }]
  ])("is %s", (name, task, batches, more) => {
    assert.strictEqual(nameOf(nextStep(workOf([task], batches, more), task, TERMS)), name)
  })

  it("says in the order's row what it waits for, and nothing where something of its own is on its way", () => {
    const words = (batches: ReadonlyArray<Batch>, more: Partial<WalletWork> = {}) =>
      waitingFor(nextStep(workOf([order], batches, more), order, TERMS))
    assert.include(words([planned, other]) ?? "", "of the same wallet and token is paid and minted first")
    assert.strictEqual(words([planned], { stopped: messages.paused("a complaint") }), messages.paused("a complaint"))
    assert.deepStrictEqual(
      [words([planned], { stopped: "money is missing" }), words([asked]), words([planned])],
      [undefined, undefined, undefined]
    )
  })
})

describe("the steps of a wallet", () => {
  const later = { ...order, nextActionAtMs: NOW_MS + 9_000 }

  it("are what is due by now, and when something is due again", () => {
    const { moves, inFlight, nextMs } = stepsOf(workOf([later], [planned]), TERMS)
    assert.deepStrictEqual([moves, inFlight, nextMs], [[], [], NOW_MS + 9_000])
    assert.lengthOf(stepsOf(workOf([later], [planned]), { ...TERMS, nowMs: NOW_MS + 9_000 }).moves, 1)
  })

  it("look after payments of orders that have ended", () => {
    const live = { ...planned, taskId: uuid(7), status: "signed", nextActionAtMs: NOW_MS } as const
    assert.deepStrictEqual(stepsOf(workOf([], [live]), TERMS).inFlight, [live])
  })

  it("leave a row that v1.1 left as it is", () => {
    assert.deepStrictEqual(
      stepsOf(workOf([order], []), TERMS).orders.map(({ isOurs }) => isOurs),
      [false]
    )
  })
})
