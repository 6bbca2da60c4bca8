import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Hono } from "hono"
import { address } from "../../src/domain/Address.ts"
import { faultRoutes } from "../../src/sandbox/faultRoutes.ts"
import * as Faults from "../../src/sandbox/faults.ts"

const TOKEN = address(`0x${"70".repeat(20)}`)
const OTHER = address(`0x${"71".repeat(20)}`)

describe("the faults of a sandbox", () => {
  it("are none at first, and each is there until it is switched off", () => {
    const faults = Faults.make()
    assert.isUndefined(faults.take(["outage", "refuse"]))
    faults.set([{ kind: "outage" }])
    for (const _ of [1, 2, 3]) assert.strictEqual(faults.take(["refuse", "outage"])?.kind, "outage")
    assert.deepStrictEqual(faults.injected(), { outage: 3 })
    faults.set([])
    assert.isUndefined(faults.take(["outage"]))
    assert.deepStrictEqual(faults.injected(), { outage: 3 }, "what happened is remembered")
  })

  it("happen as often as asked, and are gone then", () => {
    const faults = Faults.make()
    faults.set([{ kind: "outage", times: 2 }])
    faults.take(["outage"])
    assert.deepStrictEqual(faults.on(), [{ kind: "outage", times: 1 }])
    faults.take(["outage"])
    assert.deepStrictEqual(faults.on(), [])
    assert.isUndefined(faults.take(["outage"]))
  })

  it("come in the order in which they are asked for, whatever the order in which they were switched on", () => {
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

  it("are found without taking a turn", () => {
    const faults = Faults.make()
    faults.set([{ kind: "rpc-lag", times: 1, blocks: 3 }])
    assert.strictEqual(faults.find(["rpc-lag"])?.blocks, 3)
    assert.isUndefined(faults.find(["rpc-429"]))
    assert.deepStrictEqual(faults.injected(), {})
  })

  it("are each described", () => {
    for (const kind of Faults.make().kinds) assert.isNotEmpty(Faults.describe(kind))
  })
})

/** The endpoints, over faults of their own. */
const open = (kinds: ReadonlyArray<Faults.Kind> = ["outage", "settle-late", "rpc-lag"]) => {
  const faults = Faults.make(kinds)
  const app = new Hono()
  faultRoutes(app, faults)
  const request = (method: string, body?: unknown) =>
    Effect.promise(async () => {
      const text = typeof body === "string" ? body : JSON.stringify(body)
      const response = await app.request("/sandbox/faults", { method, ...(text === undefined ? {} : { body: text }) })
      return { status: response.status, json: (await response.json()) as Record<string, unknown> }
    })
  return { faults, request }
}

describe("the endpoints for faults", () => {
  it.effect("show what is on, how often it happened, and what else there is", () =>
    Effect.gen(function* () {
      const { faults, request } = open()
      faults.set([{ kind: "outage", times: 3 }])
      faults.take(["outage"])
      const { status, json } = yield* request("GET")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json["faults"], [{ kind: "outage", times: 2 }])
      assert.deepStrictEqual(json["injected"], { outage: 1 })
      assert.deepStrictEqual(Object.keys(json["kinds"] as object), ["outage", "settle-late", "rpc-lag"])
    })
  )

  it.effect("switch on all that is given and nothing else, and everything off", () =>
    Effect.gen(function* () {
      const { faults, request } = open()
      const given = [
        { kind: "outage", times: 1, token: TOKEN },
        { kind: "settle-late", ms: 5 },
        { kind: "rpc-lag", blocks: 2 }
      ]
      const { status, json } = yield* request("PUT", { faults: given })
      assert.deepStrictEqual([status, json["faults"]], [200, given])
      yield* request("PUT", { faults: [{ kind: "outage" }] })
      assert.deepStrictEqual(faults.on(), [{ kind: "outage" }])
      assert.deepStrictEqual((yield* request("DELETE")).json["faults"], [])
      assert.deepStrictEqual(faults.on(), [])
    })
  )

  it.effect("refuse what is no set of faults, name all that is wrong, and change nothing", () =>
    Effect.gen(function* () {
      const { faults, request } = open()
      faults.set([{ kind: "outage" }])
      const problems = Effect.fnUntraced(function* (body: unknown) {
        const { status, json } = yield* request("PUT", body)
        assert.deepStrictEqual([status, json["error"]], [400, "these are not faults"])
        return json["problems"]
      })
      assert.deepStrictEqual(
        yield* problems({ faults: [{ kind: "fire", times: 0, token: "0x1", ms: 1.5, blocks: 0 }] }),
        [
          "faults: 0: kind: expected one of outage, settle-late, rpc-lag",
          "faults: 0: times: expected a whole number from 1 to 1000000",
          "faults: 0: token: expected the address of a token: 0x and 40 hex digits",
          "faults: 0: ms: expected a whole number from 1 to 600000",
          "faults: 0: blocks: expected a whole number from 1 to 1000000"
        ]
      )
      assert.deepStrictEqual(yield* problems({ faults: [{ kind: "outage", time: 1 }] }), [
        "faults: 0: time: Expected no excess property"
      ])
      assert.deepStrictEqual(yield* problems({}), ["faults: Missing key"])
      assert.deepStrictEqual(yield* problems("{"), ["Expected a valid JSON string"])
      assert.strictEqual((yield* request("PUT", { faults: "0".repeat(20_000) })).status, 413)
      assert.deepStrictEqual(faults.on(), [{ kind: "outage" }])
    })
  )
})
