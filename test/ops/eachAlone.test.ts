import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TaskId } from "../../src/domain/Task.ts"
import { eachAlone } from "../../src/ops/eachAlone.ts"
import * as Incidents from "../../src/ops/Incidents.ts"
import { LedgerError } from "../../src/ledger/TaskRepo.ts"
import { uuid } from "../domain/given.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const refusal = (reason: LedgerError["reason"]) => new LedgerError({ reason, operation: "fund", detail: "a trigger" })

const rowsOf = (count: number) => Array.from({ length: count }, (_, index) => ({ taskId: uuid(index) }))

/** A ledger that refuses every statement in which one of these rows is. */
const ledger = (bad: (taskId: TaskId) => boolean, reason: LedgerError["reason"] = "Rejected") => {
  const statements: Array<number> = []
  const write = (rows: ReadonlyArray<{ readonly taskId: TaskId }>) => {
    statements.push(rows.length)
    const ids = rows.map(({ taskId }) => taskId)
    return ids.some(bad) ? Effect.fail(refusal(reason)) : Effect.succeed(ids)
  }
  return { statements, write }
}

describe("a sweep that writes many rows at once", () => {
  const provided = effects(it, Incidents.layer)

  test("takes one statement where the ledger refuses none", function* () {
    const { statements, write } = ledger(() => false)
    assert.lengthOf(yield* eachAlone(rowsOf(100), write), 100)
    assert.deepStrictEqual(statements, [100])
  })

  provided("writes all but the rows that cannot be written, and an operator hears of those", function* () {
    const { statements, write } = ledger((id) => id === uuid(17) || id === uuid(60))
    const written = yield* eachAlone(rowsOf(100), write)
    assert.lengthOf(written, 98)
    assert.notInclude(written, uuid(17))
    assert.isBelow(statements.length, 40)
    const open = yield* Incidents.open
    assert.deepStrictEqual(
      open.map(({ key }) => key),
      [`unwritable:${uuid(17)}`, `unwritable:${uuid(60)}`]
    )
    assert.match(open[0]!.words, /^Task 00000011 cannot be written, and waits until it can: /)
  })

  provided("gives up where the ledger refuses everything", function* () {
    const { statements, write } = ledger(() => true)
    const error = yield* Effect.flip(eachAlone(rowsOf(5_000), write))
    assert.strictEqual(error.reason, "Rejected")
    assert.isBelow(statements.length, 80)
  })

  test("takes trouble of the whole ledger for that, and no row for bad", function* () {
    const { statements, write } = ledger((id) => id === uuid(3), "Timeout")
    assert.strictEqual((yield* Effect.flip(eachAlone(rowsOf(9), write))).reason, "Timeout")
    assert.deepStrictEqual(statements, [9])
  })

  provided(
    "finds out more bad rows than it looks for at once in several goes, while the others are written",
    function* () {
      const bad = new Set(Array.from({ length: 50 }, (_, index): TaskId => uuid(2 * index)))
      const { write } = ledger((id) => bad.has(id))
      const left = new Set<TaskId>(rowsOf(200).map(({ taskId }) => taskId))
      for (let sweep = 0; sweep < 3; sweep++) {
        const rows = [...left].map((taskId) => ({ taskId }))
        for (const id of yield* eachAlone(rows, write)) left.delete(id)
      }
      assert.deepStrictEqual(left, bad)
    }
  )

  provided("tries a row that was refused by itself, and writes it when it can be", function* () {
    let isRefused = true
    const { statements, write } = ledger((id) => isRefused && id === uuid(3))
    yield* eachAlone(rowsOf(8), write)
    statements.length = 0
    yield* eachAlone(rowsOf(8), write)
    assert.deepStrictEqual(statements, [7, 1])
    isRefused = false
    assert.lengthOf(yield* eachAlone(rowsOf(8), write), 8)
    assert.deepStrictEqual(yield* Incidents.open, [])
  })
})
