import { assert, layer } from "@effect/vitest"
import { Context, Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Api } from "../../src/api/contract/Api.ts"
import { NeedsScope, OfEveryone } from "../../src/api/contract/permissions.ts"
import { type Permission, SCOPES } from "../../src/domain/Scope.ts"
import { LogLines } from "../support/executor.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { listen, toldToTheEnd } from "./listening.ts"
import { serving, stories, withToken } from "./served.ts"

/** Every route of the definition that asks who is there. */
const routes = Object.values(Api.groups)
  .flatMap((group) => Object.values(group.endpoints).map((endpoint) => ({ group: group.identifier, endpoint })))
  .filter(({ group }) => group !== "system")
  .map(({ group, endpoint }) => ({
    name: `${group}.${endpoint.identifier}`,
    method: endpoint.method,
    path: endpoint.path.replaceAll(/:\w+/g, "00000000-0000-4000-8000-000000000001"),
    needs: Option.getOrUndefined(Context.getOption(endpoint.annotations, NeedsScope)),
    ofEveryone: Option.isSome(Context.getOption(endpoint.annotations, OfEveryone))
  }))

type Asks = Effect.Success<ReturnType<typeof serving>>["ask"]

const madeKey = Effect.fnUntraced(function* (ask: Asks, key: object) {
  const { status, json } = yield* ask("/api/keys", { body: { name: "shop", ...key } })
  assert.strictEqual(status, 201, JSON.stringify(json))
  return json as { readonly key: { readonly id: string }; readonly secret: string }
})

const answeredTo = (ask: Asks, { method, path }: (typeof routes)[number], token: string) =>
  ask(path, { method, token, body: method === "GET" ? undefined : {} })

/** The server looks at its clock and asks the database in turn: it takes as many steps of the clock as it needs. */
const timePassesUntil = <A, E, R>(end: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(end, Effect.forever(TestClock.adjust("5 seconds")))

layer(Postgres.session())("keys", (it) => {
  const { served } = stories(it)

  it.effect("are asked for a scope by every route", () =>
    Effect.sync(() => {
      assert.isAbove(routes.length, 20)
      assert.deepStrictEqual(
        routes.filter(({ needs }) => needs === undefined).map(({ name }) => name),
        []
      )
      const used = new Set(routes.map(({ needs }) => needs))
      assert.isTrue(used.has("root"))
    })
  )

  served("open the routes of their scopes, and no other", function* () {
    const { ask } = yield* serving(withToken)
    for (const scope of SCOPES) {
      const { secret } = yield* madeKey(ask, { name: scope.replace(":", "-"), scopes: [scope] })
      for (const route of routes) {
        if (route.needs === scope) continue
        const { status, json } = yield* answeredTo(ask, route, secret)
        assert.deepStrictEqual([route.name, scope, status], [route.name, scope, 403])
        assert.include(json.detail, route.needs === "root" ? "OPS_TOKEN" : `the scope ${route.needs as Permission}`)
        yield* TestClock.adjust("1 second")
      }
    }
  })

  served("are shown once, kept as a digest, and never listed with their secret", function* () {
    const { ask } = yield* serving(withToken)
    const { secret } = yield* madeKey(ask, { scopes: ["orders:read"] })
    assert.match(secret, /^aimint_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$/)
    assert.strictEqual((yield* ask("/api/tasks", { token: secret })).status, 200)
    const listed = yield* ask("/api/keys")
    assert.strictEqual(listed.json.keys[0].name, "shop")
    const sql = yield* SqlClient.SqlClient
    const [kept] = yield* sql<{ readonly text: string }>`
      SELECT (SELECT json_agg(k) FROM ai_agent_keys k)::text || (SELECT json_agg(d) FROM ai_agent_decisions d)::text AS text`
    const half = secret.slice(-43)
    for (const text of [listed.text, kept?.text ?? secret, (yield* LogLines).all.join("\n")])
      assert.notInclude(text, half)
  })

  served("have names of their own, and sound wishes", function* () {
    const { ask } = yield* serving(withToken)
    yield* madeKey(ask, { scopes: ["orders:read"] })
    assert.strictEqual((yield* ask("/api/keys", { body: { name: "shop", scopes: ["audit"] } })).status, 409)
    for (const bad of [
      { name: "", scopes: ["audit"] },
      { name: "a b", scopes: ["audit"] },
      { name: "x", scopes: [] },
      { name: "x", scopes: ["root"] },
      { name: "x", scopes: ["audit"], user: "0x12" },
      { name: "x", scopes: ["audit"], expires: "0d" },
      { name: "x", scopes: ["audit"], expires: "90 days" }
    ]) {
      assert.strictEqual((yield* ask("/api/keys", { body: bad })).status, 400, JSON.stringify(bad))
    }
  })

  served("open nothing once they are revoked or have expired", function* () {
    const { ask } = yield* serving(withToken)
    const { secret } = yield* madeKey(ask, { scopes: ["orders:read"] })
    const brief = yield* madeKey(ask, { name: "brief", scopes: ["orders:read"], expires: "30m" })
    assert.strictEqual((yield* ask("/api/keys/shop/revoke", { body: {} })).json.did, true)
    assert.strictEqual((yield* ask("/api/keys/shop/revoke", { body: {} })).json.did, false)
    const revoked = yield* ask("/api/tasks", { token: secret })
    assert.deepStrictEqual([revoked.status, revoked.json.detail.includes("revoked")], [401, true])
    assert.strictEqual((yield* ask("/api/tasks", { token: brief.secret })).status, 200)
    yield* TestClock.adjust("30 minutes")
    const expired = yield* ask("/api/tasks", { token: brief.secret })
    assert.deepStrictEqual([expired.status, expired.json.detail.includes("expired")], [401, true])
    // The name is free again.
    yield* madeKey(ask, { scopes: ["audit"] })
  })

  served("end the event streams that they opened, once they are revoked or have expired", function* () {
    const { ask, url } = yield* serving(withToken)
    const { secret } = yield* madeKey(ask, { scopes: ["orders:read"] })
    const listener = yield* listen(url, { token: secret })
    yield* ask("/api/keys/shop/revoke", { body: {} })
    yield* timePassesUntil(toldToTheEnd(listener))
    const brief = yield* madeKey(ask, { name: "brief", scopes: ["orders:read"], expires: "1m" })
    const other = yield* listen(url, { token: brief.secret })
    assert.deepStrictEqual([listener.status, other.status], [200, 200])
    yield* timePassesUntil(toldToTheEnd(other))
  })

  served("leave places to others who hear of events", function* () {
    const { ask, url } = yield* serving(withToken)
    const { secret: token } = yield* madeKey(ask, { scopes: ["orders:read"] })
    const statuses: Array<number> = []
    for (let n = 0; n < 52; n++) statuses.push((yield* listen(url, { token })).status)
    assert.deepStrictEqual(statuses, [...Array(50).fill(200), 429, 429])
    assert.strictEqual((yield* listen(url)).status, 200)
  })

  served("that are wrong count as guesses, and slow down who guesses, and no one else", function* () {
    const { ask } = yield* serving(withToken)
    const { secret } = yield* madeKey(ask, { scopes: ["orders:read"] })
    const statuses: Array<number> = []
    for (let n = 0; n < 22; n++) {
      const wrong = `${secret.slice(0, -4)}${String(n).padStart(4, "0")}`
      statuses.push((yield* ask("/api/tasks", { token: wrong })).status)
    }
    assert.deepStrictEqual(statuses, [...Array(20).fill(401), 429, 429])
    // Behind a proxy all have one address: a stranger's guesses must not shut out who has a key.
    assert.strictEqual((yield* ask("/api/tasks", { token: secret })).status, 200)
    assert.strictEqual((yield* ask("/api/tasks")).status, 429)
    assert.notInclude((yield* LogLines).all.join("\n"), secret.slice(-43, -4))
  })

  served("that are bound to a person see that person's orders, and no sign of another's", function* () {
    const { ask } = yield* serving(withToken)
    const [ann, bob] = [yield* person("ann"), yield* person("bob")]
    const [hers, his] = [yield* order(ann, 5), yield* order(bob, 5)]
    const { secret: token } = yield* madeKey(ask, {
      scopes: SCOPES,
      user: ann.userAddress
    })
    const listed = yield* ask("/api/tasks", { token })
    assert.deepStrictEqual(
      listed.json.tasks.map(({ id }: { id: string }) => id),
      [hers]
    )
    assert.deepStrictEqual((yield* ask(`/api/tasks?user=${bob.userAddress}`, { token })).json.tasks, [])
    const [sql, tx] = [yield* SqlClient.SqlClient, `0x${"7".repeat(64)}`]
    yield* sql`UPDATE ai_agent_tasks SET funding_tx_hash = ${tx} WHERE id = ${his}::uuid`
    assert.lengthOf((yield* ask(`/api/tasks?tx=${tx}`)).json.tasks, 1)
    assert.deepStrictEqual((yield* ask(`/api/tasks?tx=${tx}`, { token })).json.tasks, [])
    assert.strictEqual((yield* ask(`/api/tasks/${hers}`, { token })).status, 200)
    const none = "00000000-0000-4000-8000-000000000001"
    const shown = (answer: { readonly status: number; readonly text: string }, id: string) => [
      answer.status,
      answer.text.replaceAll(id, "…")
    ]
    for (const path of ["", "/explain"]) {
      const [other, missing] = [
        yield* ask(`/api/tasks/${his}${path}`, { token }),
        yield* ask(`/api/tasks/${none}${path}`, { token })
      ]
      assert.strictEqual(other.status, 404)
      assert.deepStrictEqual(shown(other, his), shown(missing, none))
    }
    for (const command of ["cancel", "retry", "adopt"]) {
      const body = { why: "so" }
      const other = yield* ask(`/api/tasks/${his}/${command}`, { token, body })
      assert.deepStrictEqual(
        shown(other, his),
        shown(yield* ask(`/api/tasks/${none}/${command}`, { token, body }), none)
      )
      yield* TestClock.adjust("1 second")
    }
    // The beginning of an id would say whether another person has such an order.
    assert.strictEqual((yield* ask(`/api/tasks/${his.slice(0, 8)}`, { token })).status, 404)
    assert.strictEqual((yield* ask(`/api/tasks/${hers.slice(0, 8)}`, { token })).status, 404)
    assert.strictEqual((yield* ask(`/api/wallets/${ann.userAddress}`, { token })).status, 200)
    assert.strictEqual((yield* ask(`/api/wallets/${bob.userAddress}`, { token })).status, 404)
    assert.strictEqual((yield* ask(`/api/ai-agent/task/${his}`, { token })).status, 404)
    assert.strictEqual((yield* ask(`/api/ai-agent/tasks/${bob.userAddress}`, { token })).json.total, 0)
    for (const route of routes.filter(({ ofEveryone }) => ofEveryone)) {
      assert.strictEqual((yield* answeredTo(ask, route, token)).status, 403, route.name)
      yield* TestClock.adjust("1 second")
    }
  })

  served("that are bound to a person are told what was decided, and not by which operator or other key", function* () {
    const { ask } = yield* serving(withToken)
    const ann = yield* person("ann")
    const [first, second] = [yield* order(ann, 5), yield* order(ann, 5)]
    const { secret: token, key } = yield* madeKey(ask, { scopes: SCOPES, user: ann.userAddress })
    const cancel = (task: string, by = {}) => ask(`/api/tasks/${task}/cancel`, { body: { why: "so it is" }, ...by })
    assert.strictEqual((yield* cancel(first, { headers: { "x-operator": "alice" } })).status, 200)
    assert.strictEqual((yield* cancel(second, { token })).status, 200)
    for (const path of [
      `/api/tasks/${first}/explain`,
      `/api/tasks/${second}/explain`,
      `/api/wallets/${ann.userAddress}`
    ]) {
      const [all, seen] = [yield* ask(path), yield* ask(path, { token })]
      assert.include(seen.text, "so it is")
      assert.notMatch(seen.text, /alice|OPS_TOKEN/)
      if (!path.includes(second)) assert.include(all.text, "alice with OPS_TOKEN from 127.0.0.1")
      if (path.includes(second)) assert.include(seen.text, `by key shop (${key.id.slice(0, 8)})`)
    }
  })

  served("are written down with what was decided with them", function* () {
    const { ask } = yield* serving(withToken)
    const { secret: token, key } = yield* madeKey(ask, { scopes: ["orders:cancel"] })
    const task = yield* order(yield* person("ann"), 5)
    assert.strictEqual((yield* ask(`/api/tasks/${task}/cancel`, { token, body: { why: "so" } })).status, 200)
    const sql = yield* SqlClient.SqlClient
    const made = yield* sql`SELECT made_by, key_id FROM ai_agent_decisions WHERE command = 'cancel'`
    assert.deepStrictEqual(made, [{ made_by: `key shop (${key.id.slice(0, 8)}) from 127.0.0.1`, key_id: key.id }])
  })
})
