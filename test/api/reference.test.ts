import { assert, layer } from "@effect/vitest"
import { baseSepolia } from "../../src/config/Network.ts"
import * as Postgres from "../support/Postgres.ts"
import { serving, withToken } from "./served.ts"
import { stories } from "../operator/given.ts"

/** A page of words and no more. */
const LIGHT = 10_000

layer(Postgres.session())("the reference of the API", (it) => {
  const { onSql } = stories(it)
  onSql("comes to who has the token, and a stranger gets a few lines that ask for it", function* () {
    const { ask } = yield* serving(withToken)
    const door = yield* ask("/docs", { token: null })
    assert.deepStrictEqual([door.status, door.type], [200, "text/html; charset=utf-8"])
    assert.isBelow(door.text.length, LIGHT)
    assert.include(door.text, "/api/reference")
    const stranger = yield* ask("/api/reference", { token: null })
    assert.deepStrictEqual([stranger.status, stranger.json.status, stranger.text.length < LIGHT], [401, 401, true])
    const reference = yield* ask("/api/reference")
    assert.deepStrictEqual([reference.status, reference.headers.get("content-encoding")], [200, "gzip"])
    assert.include(reference.text, "/api/tasks/{task}/cancel")
    assert.isAbove(reference.text.length, 1_000_000)
    const plain = yield* ask("/api/reference", { headers: { "accept-encoding": "identity" } })
    assert.strictEqual(plain.text, reference.text)
  })

  onSql("counts a wrong token as every other route does", function* () {
    const { ask } = yield* serving(withToken)
    for (let n = 0; n < 10; n++) {
      assert.strictEqual((yield* ask("/api/reference", { token: `wrong-${n}` })).status, 401)
      assert.strictEqual((yield* ask("/api/tasks", { token: `wrong-too-${n}` })).status, 401)
    }
    assert.strictEqual((yield* ask("/api/reference")).status, 429)
    assert.strictEqual((yield* ask("/api/tasks")).status, 429)
  })

  onSql("is off where the API is, and open where that is", function* () {
    const closed = yield* serving({ network: baseSepolia })
    const answer = yield* closed.ask("/api/reference")
    assert.strictEqual(answer.status, 403)
    assert.include(answer.json.detail, "set OPS_TOKEN")
    const open = yield* serving()
    assert.strictEqual((yield* open.ask("/api/reference", { token: null })).status, 200)
  })
})
