import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { attempt } from "../../src/checks/attempt.ts"
import { sayerOf } from "../../src/checks/Finding.ts"
import { troubles } from "./given.ts"

const look = { say: sayerOf("database"), what: "a look", remedy: "Do this." }

describe("a look that cannot be taken", () => {
  it.effect("is a finding, whether it fails or breaks", () =>
    Effect.gen(function* () {
      const failed = yield* attempt(look, Effect.fail({ message: "no answer" }))
      assert.deepStrictEqual(failed, [
        { area: "database", level: "fail", what: "a look", detail: "no answer", remedy: "Do this." }
      ])
      const broken = yield* attempt(look, Effect.die(new TypeError("x is undefined\n    at a stack")))
      assert.deepStrictEqual(troubles(broken), [["a look", "fail"]])
      assert.strictEqual(broken[0]?.detail, "the check itself broke: TypeError: x is undefined")
    })
  )
})
