import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { type Finding, reportOn, worst } from "../../../src/checks/Finding.ts"
import { doctorWords } from "../../../src/cli/words/doctor.ts"
import { between } from "../../domain/given.ts"

const database = reportOn("database")
const chain = reportOn("chain")

const wordsOf = (findings: ReadonlyArray<Finding>) => doctorWords({ command: "doctor", findings })

/** The icons are the only characters that take other than one column. */
const columnsOf = (line: string): number => line.replace(/^(✅|⚠️|❌)/u, "xx").length

describe("the doctor's words", () => {
  it("give a line to each finding, its remedy below it, and the sum at the end", () => {
    const lines = wordsOf([
      database.ok({ what: "connects", detail: "PostgreSQL 16.4 at db.example:5432 (3 ms)" }),
      database.warn({ what: "migrations", detail: "1 to do: 0004_more", remedy: "ai-mint migrate does it." }),
      chain.fail({ what: "USDC paused", detail: "nothing can be paid", remedy: "Only Circle can end that." })
    ])
    assert.deepStrictEqual(lines, [
      "✅ database    connects        PostgreSQL 16.4 at db.example:5432 (3 ms)",
      "⚠️ database    migrations      1 to do: 0004_more",
      "   → ai-mint migrate does it.",
      "❌ chain       USDC paused     nothing can be paid",
      "   → Only Circle can end that.",
      "",
      "❌ 1 thing to repair, 1 to think about, 1 well"
    ])
  })

  it("say that all is well where it is", () => {
    assert.strictEqual(wordsOf([chain.ok({ what: "RPC 1", detail: "x" })]).at(-1), "✅ All is well (1 checks)")
  })

  const word = Arbitrary.map(between(1, 120), (length) => "x".repeat(length))
  const text = Arbitrary.array(word, { minLength: 1, maxLength: 30 })

  it.prop("never get wider than 100 columns, and lose nothing", [text, text], ([detail, remedy]) => {
    const finding = chain.fail({ what: "RPC 10", detail: detail.join(" "), remedy: remedy.join(" ") })
    const lines = wordsOf([finding])
    assert.isTrue(lines.every((line) => columnsOf(line) <= 100))
    const shown = lines.slice(0, -2).join("").replaceAll(/\s/g, "")
    assert.strictEqual(shown, `❌chainRPC10${detail.join("")}→${remedy.join("")}`)
  })

  it("are as bad as the worst finding", () => {
    const ok = chain.ok({ what: "a", detail: "" })
    const warn = chain.warn({ what: "b", detail: "", remedy: "" })
    const fail = chain.fail({ what: "c", detail: "", remedy: "" })
    assert.deepStrictEqual([worst([]), worst([ok, warn]), worst([warn, fail, ok])], ["ok", "warn", "fail"])
  })
})
