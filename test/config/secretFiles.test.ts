import { assert, describe, it } from "@effect/vitest"
import { loadFrom, onBase, problemsOf } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

describe("a secret in a file", () => {
  test("is taken from no file that everybody may write", function* () {
    const { AGENT_ENCRYPTION_KEY, ...rest } = onBase
    for (const [mode, isTaken] of [
      ["600", true],
      ["440", true],
      ["664", true],
      ["666", false],
      ["602", false]
    ] as const) {
      const file = `/run/key.${mode}`
      const env = { ...rest, AGENT_ENCRYPTION_KEY_FILE: file }
      const said = isTaken
        ? undefined
        : ["AGENT_ENCRYPTION_KEY_FILE: everybody on this machine may write the file that it names: chmod o-w"]
      const files = { [file]: AGENT_ENCRYPTION_KEY }
      if (said === undefined) assert.isDefined((yield* loadFrom(env, { files })).agentEncryptionKey)
      else assert.deepStrictEqual(yield* problemsOf(env, files), said)
    }
  })
})
