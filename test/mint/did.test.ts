import { assert, describe, it } from "@effect/vitest"
import { didOf } from "../../src/mint/answer.ts"

const reply = (status: number, body: string | undefined) => ({ status, headers: {}, body })

describe("what a server may have done that was only asked for the price", () => {
  for (const [what, answer, did] of [
    ["a 402 did nothing, whether its challenge can be read or not", reply(402, "<html>"), "nothing"],
    ["a 200 in JSON claims that the work is done", reply(200, '{"success":true}'), "claims"],
    ["a 201 without a body claims it too", reply(201, ""), "claims"],
    ["a page of a proxy says nothing about it", reply(200, " <!doctype html>"), "unknown"],
    ["a 200 that broke off says nothing about it", reply(200, undefined), "unknown"],
    ["a refusal may come after the work", reply(409, '{"error":"sold out"}'), "unknown"],
    ["so may any other answer", reply(503, "busy"), "unknown"]
  ] as const) {
    it(what, () => assert.strictEqual(didOf(answer), did))
  }
})
