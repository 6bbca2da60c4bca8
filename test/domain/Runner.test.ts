import { assert, describe, it } from "@effect/vitest"
import { ALL_PARTS } from "../../src/domain/Part.ts"
import { disagreement, ownedInWords, type Runner } from "../../src/domain/Runner.ts"
import { sharedSettings } from "../../src/runners/sharedSettings.ts"
import { defaults } from "../support/settings.ts"

const runner = (changes: Partial<Runner> = {}): Runner => ({
  name: "one:1",
  version: "2.5.0",
  settings: sharedSettings(defaults),
  parts: [],
  ...changes
})

describe("executors that share a database", () => {
  it("agree where version and settings are the same, wherever they run", () => {
    assert.isUndefined(disagreement(runner(), runner({ name: "other:2", parts: [1] })))
    const elsewhere = sharedSettings({ ...defaults, opsPort: 1, rpcUrls: [], logLevel: "None" })
    assert.isUndefined(disagreement(runner(), runner({ settings: elsewhere })))
  })

  it("name every setting in which another one differs, and its version", () => {
    const settings = sharedSettings({ ...defaults, maxBatchSize: 7, confirmations: 9 })
    assert.strictEqual(
      disagreement(runner(), runner({ name: "other:2", version: "2.4.0", settings })),
      "The executor other:2 runs version 2.4.0, and this one 2.5.0, and has another CONFIRMATIONS, MAX_BATCH_SIZE than this one"
    )
  })

  it("differ too where only one of them knows a setting", () => {
    const { MAX_BATCH_SIZE: _, ...fewer } = sharedSettings(defaults)
    assert.include(disagreement(runner(), runner({ settings: fewer })), "another MAX_BATCH_SIZE than this one")
  })

  it("show no value of a setting", () => {
    assert.match(Object.values(sharedSettings(defaults)).join(), /^([0-9a-f]{12},?)+$/)
  })

  it("own parts, which are told in words", () => {
    assert.deepStrictEqual(
      [ALL_PARTS, [0, 1, 5], []].map((parts) => ownedInWords(parts)),
      ["32 of 32 parts of the wallets (0-31)", "3 of 32 parts of the wallets (0-1, 5)", "0 of 32 parts of the wallets"]
    )
  })
})
