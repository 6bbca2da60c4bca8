import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { doorWords } from "../../src/api/serve.ts"
import { baseSepolia } from "../../src/config/Network.ts"
import { defaults } from "../support/settings.ts"

const token = Redacted.make("ab".repeat(16))

describe("what the start says of page and API", () => {
  it("is to whom they open", () => {
    const real = { ...defaults, network: baseSepolia }
    assert.strictEqual(doorWords(real), "health and metrics only: OPS_TOKEN is not set")
    assert.strictEqual(
      doorWords({ ...real, v1Token: token }),
      "health, metrics and, with V1_TOKEN, the routes of v1.1: OPS_TOKEN is not set"
    )
    assert.strictEqual(doorWords({ ...real, opsToken: token }), "asks for OPS_TOKEN")
    assert.strictEqual(
      doorWords({ ...real, opsToken: token, v1Token: token }),
      "asks for OPS_TOKEN; the routes of v1.1 ask for V1_TOKEN or it"
    )
    assert.strictEqual(doorWords(defaults), "open to this machine")
    assert.strictEqual(
      doorWords({ ...defaults, v1Token: token }),
      "open to this machine; the routes of v1.1 ask for V1_TOKEN"
    )
  })
})
