import { assert } from "@effect/vitest"
import { Schema } from "effect"
import type { StatusReport } from "../../../src/operator/reports/status.ts"
import { StatusReport as StatusSchema } from "../../../src/operator/reports/status.ts"
import { Explanation as ExplanationSchema, TaskReport as TaskSchema } from "../../../src/operator/reports/tasks.ts"
import type { Explanation, TaskReport } from "../../../src/operator/reports/tasks.ts"
import type { WalletReport } from "../../../src/operator/reports/wallets.ts"
import { address } from "../../../src/domain/Address.ts"
import { usdc } from "../../../src/domain/Usdc.ts"
import { type Look, plain } from "../../../src/cli/words/paint.ts"
import { COLUMNS, columnsOf } from "../../../src/cli/words/text.ts"
import * as Sample from "../../page/sample.ts"

/** 2026-11-28 12:00:00 UTC. */
export const NOW = Date.UTC(2026, 10, 28, 12)

export const LOOK: Look = { paint: plain, nowMs: NOW }

export const ADDRESS = address(`0x${"ab".repeat(20)}`)
export const HASH = `0x${"cd".repeat(32)}`
export const ID = "b3319f58-1111-4222-8333-0123456789ab"

/** A reason as long as any, with a word in it that fits no line, and a line end. */
export const LONG = `the facilitator said: ${"x".repeat(150)}\nand then ${"a few words more, ".repeat(20)}`

export const taskOf = (change: Partial<TaskReport> = {}): TaskReport => ({
  ...Schema.decodeSync(TaskSchema)(Sample.report(Sample.task("b3319f58"))),
  id: ID,
  userAddress: ADDRESS,
  createdAt: NOW - 135_000,
  deadline: NOW + 465_000,
  ...change
})

export const overviewOf = (change: Partial<StatusReport> = {}): StatusReport => ({
  ...Schema.decodeSync(StatusSchema)(Sample.overview()),
  now: NOW,
  ...change
})

export const explanationOf = (change: Partial<Explanation> = {}): Explanation => ({
  ...Schema.decodeSync(ExplanationSchema)(Sample.explanation(Sample.minting("b3319f58"))),
  ...change
})

export const walletOf = (change: Partial<WalletReport> = {}): WalletReport => ({
  command: "wallet",
  id: ID,
  userAddress: ADDRESS,
  agentAddress: address(`0x${"ef".repeat(20)}`),
  stopped: undefined,
  chain: { balance: usdc(12_500_000n), block: 24_518_811n, at: NOW },
  ledger: {
    expected: usdc(12_500_000n),
    countedTo: 24_518_800n,
    reserved: usdc(10_000_000n),
    maybeSpent: usdc(0n),
    lastPaymentBlock: 24_518_000n
  },
  credit: usdc(2_500_000n),
  tasks: [],
  deposits: [],
  refunds: [],
  decisions: [],
  ...change
})

/** No line is wider than a terminal, and none could move its cursor. */
export const assertFits = (lines: ReadonlyArray<string>): void => {
  for (const line of lines) {
    assert.isAtMost(columnsOf(line), COLUMNS, line)
    assert.notMatch(line, /[\u0000-\u001f\u007f]/, line)
  }
}
