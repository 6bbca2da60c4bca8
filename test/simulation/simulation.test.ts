import { execFileSync } from "node:child_process"
import { assert, describe, it, vi } from "vitest"
import type { nonceOf } from "../../src/domain/Batch.ts"
import { Report } from "./report.ts"
import { run } from "./run.ts"

/** With those below some forty seconds of one core. */
const SEEDS = 200
const HOURS = 0.08

/** Seeds in which happens what seldom does, and so long that it can. Found by search; others will do as well. */
const TELLING: ReadonlyArray<number> = [
  118, 124, 140, 142, 456, 211, 232, 283, 318, 320, 332, 428, 482, 526, 639, 665, 944, 945, 968
]
const TELLING_HOURS = 0.2

const hoursOf = (seed: number): number => (TELLING.includes(seed) ? TELLING_HOURS : HOURS)

/**
 * Arrows that are there for what comes once in thousands of seeds: a restored backup, a thief, or a reorganisation, at the
 * very moment.
 */
const SELDOM_TAKEN: ReadonlyArray<string> = [
  "held → planned",
  "refund planned → paid",
  "refund held → withdrawn",
  "paid → unknown",
  "paid → held",
  "accepted → held",
  "delivered → paid",
  "delivered → held",
  "delivered → unknown",
  "unknown → delivered",
  "held → unknown"
]

/** Enough goes wrong in it for many lines, and people decide and refund. */
const EVENTFUL = 129

/** The same wallets and orders come again with every seed, and Keccak takes a fifth of the time of a run. */
vi.mock("../../src/domain/Batch.ts", async (load) => {
  const real = await load<{ readonly nonceOf: typeof nonceOf }>()
  const known = new Map<string, ReturnType<typeof nonceOf>>()
  const remembered: typeof nonceOf = (seed) => {
    const key = `${seed.chainId} ${seed.usdc} ${seed.payer} ${seed.taskId} ${seed.number}`
    const nonce = known.get(key) ?? real.nonceOf(seed)
    known.set(key, nonce)
    return nonce
  }
  return { ...real, nonceOf: remembered }
})

describe("a life full of faults", () => {
  it("breaks none of the invariants, for any of these seeds", () => {
    const report = new Report()
    const broken: Array<string> = []
    for (const seed of new Set([...Array.from({ length: SEEDS }, (_, index) => index + 1), ...TELLING])) {
      const hours = hoursOf(seed)
      const outcome = run({ seed, hours })
      report.add(outcome)
      const again = `npm run simulate -- --seed ${seed} --hours ${hours} --trace`
      for (const { invariant, what } of outcome.violations) broken.push(`${invariant}: ${what} (${again})`)
    }
    assert.deepStrictEqual(broken, [])
    assert.deepStrictEqual(report.faultsMissing, [], "faults and commands that never happened")
    assert.deepStrictEqual(
      report.stepsMissing.filter((step) => !SELDOM_TAKEN.includes(step)),
      [],
      "steps of batches and refunds that were never taken"
    )
    for (const end of ["completed", "failed", "cancelled", "processing, held", "pending_payment, held"]) {
      assert.isAbove(report.tasks.get(end) ?? 0, 0, `no task ends as ${end}`)
    }
  }, 400_000)

  it("is the same every time, to the last letter, in this process and in another one", () => {
    const [first, second] = [
      run({ seed: EVENTFUL, hours: TELLING_HOURS }),
      run({ seed: EVENTFUL, hours: TELLING_HOURS })
    ]
    assert.isAbove(first.trace.length, 100)
    assert.strictEqual(second.trace.join("\n"), first.trace.join("\n"))
    const args = ["--import", "./src/guard.js", "test/simulation/main.ts", "--quiet", "--trace"]
    const options = ["--seed", String(EVENTFUL), "--hours", String(TELLING_HOURS)]
    const said = execFileSync(process.execPath, [...args, ...options], { encoding: "utf8", maxBuffer: 1 << 28 })
    assert.strictEqual(said.trimEnd(), first.trace.join("\n"))
  })

  it("is another one with another seed", () => {
    const [first, second] = [
      run({ seed: EVENTFUL, hours: TELLING_HOURS }),
      run({ seed: EVENTFUL + 1, hours: TELLING_HOURS })
    ]
    assert.notStrictEqual(second.trace.join("\n"), first.trace.join("\n"))
  })
})
