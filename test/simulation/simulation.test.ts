import { execFileSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { Report } from "./report.ts"
import { run } from "./run.ts"

/** Together some twenty seconds of one core. */
const SEEDS = 200
const HOURS = 0.4

/** Steps that no executor takes any more: what they tell of is found at another time. */
const NEVER_TAKEN: ReadonlyArray<string> = ["paid → held"]

/** Enough goes wrong in it for many lines. */
const EVENTFUL = 7

describe("a life full of faults", () => {
  it("breaks none of the invariants, whatever the seed", () => {
    const report = new Report()
    const broken: Array<string> = []
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = run({ seed, hours: HOURS })
      report.add(outcome)
      const again = `npm run simulate -- --seed ${seed} --hours ${HOURS} --trace`
      for (const { invariant, what } of outcome.violations) broken.push(`${invariant}: ${what} (${again})`)
    }
    assert.deepStrictEqual(broken, [])
    assert.deepStrictEqual(report.faultsMissing, [], "faults that never happened")
    assert.deepStrictEqual(
      report.stepsMissing.filter((step) => !NEVER_TAKEN.includes(step)),
      [],
      "steps of batches that were never taken"
    )
    for (const end of ["completed", "failed", "cancelled", "processing, held", "pending_payment, held"]) {
      assert.isAbove(report.tasks.get(end) ?? 0, 0, `no task ends as ${end}`)
    }
  }, 120_000)

  it("is the same every time, to the last letter, in this process and in another one", () => {
    const [first, second] = [run({ seed: EVENTFUL, hours: HOURS }), run({ seed: EVENTFUL, hours: HOURS })]
    assert.isAbove(first.trace.length, 100)
    assert.strictEqual(second.trace.join("\n"), first.trace.join("\n"))
    const args = ["--import", "./src/guard.js", "test/simulation/main.ts", "--quiet", "--trace"]
    const options = ["--seed", String(EVENTFUL), "--hours", String(HOURS)]
    const said = execFileSync(process.execPath, [...args, ...options], { encoding: "utf8", maxBuffer: 1 << 28 })
    assert.strictEqual(said.trimEnd(), first.trace.join("\n"))
  })

  it("is another one with another seed", () => {
    const [first, second] = [run({ seed: EVENTFUL, hours: HOURS }), run({ seed: EVENTFUL + 1, hours: HOURS })]
    assert.notStrictEqual(second.trace.join("\n"), first.trace.join("\n"))
  })
})
