import { assert, describe, it } from "@effect/vitest"
import { address } from "../../src/domain/Address.ts"
import * as Faults from "../../src/sandbox/faults.ts"

const TOKEN = address(`0x${"70".repeat(20)}`)
const OTHER = address(`0x${"71".repeat(20)}`)

describe("the faults of a sandbox", () => {
  it("are none at first, and each is there until it is switched off or has happened as often as asked", () => {
    const faults = Faults.make()
    assert.isUndefined(faults.take(["outage", "refuse"]))
    faults.set([{ kind: "outage" }])
    for (const _ of [1, 2, 3]) assert.strictEqual(faults.take(["refuse", "outage"])?.kind, "outage")
    assert.deepStrictEqual(faults.injected(), { outage: 3 })
    faults.set([])
    assert.isUndefined(faults.take(["outage"]))
    faults.set([{ kind: "outage", times: 2 }])
    faults.take(["outage"])
    assert.deepStrictEqual(faults.on(), [{ kind: "outage", times: 1 }])
    faults.take(["outage"])
    assert.deepStrictEqual(faults.on(), [])
    assert.deepStrictEqual(faults.injected(), { outage: 5 }, "what happened is remembered")
  })

  it("come in the order in which they are asked for, not in that in which they were switched on", () => {
    const faults = Faults.make()
    faults.set([{ kind: "refuse" }, { kind: "outage", times: 1 }])
    assert.deepStrictEqual(
      [1, 2].map(() => faults.take(["outage", "refuse"])?.kind),
      ["outage", "refuse"]
    )
  })

  it("are for one token only, where they name one, in any case", () => {
    const faults = Faults.make()
    faults.set([
      { kind: "outage", token: TOKEN.toUpperCase().replace("X", "x") },
      { kind: "outage", token: OTHER, times: 1 }
    ])
    assert.isUndefined(faults.take(["outage"], address(`0x${"72".repeat(20)}`)))
    assert.isDefined(faults.take(["outage"], OTHER))
    assert.isUndefined(faults.take(["outage"], OTHER))
    assert.isDefined(faults.take(["outage"], TOKEN))
  })
})
