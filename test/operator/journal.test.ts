import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Csv from "effect/encoding/Csv"
import { SqlClient } from "effect/sql"
import { COLUMNS, harmless } from "../../src/operator/journal.ts"
import { pass, start } from "../support/executor.ts"
import { journal, refund, resolveWallet } from "../support/operator.ts"
import * as Postgres from "../support/Postgres.ts"
import { order, paidOrder, person } from "../support/orders.ts"
import { World } from "../support/World.ts"
import { givenFailed, refusal, stories, STRANGER, units, WHY } from "./given.ts"

const EVER = { from: "1970-01-01", to: "2100-01-01" }

const written = (period: { readonly from: string; readonly to: string } = EVER) =>
  Effect.flatMap(journal(period), (csv) => Effect.map(Stream.runCollect(csv), (parts) => parts.join("")))

const rowsOf = (csv: string) =>
  Stream.make(csv).pipe(Stream.pipeThroughChannel(Csv.decodeString({ headers: true })), Stream.runCollect)

/** The rows of the journal, each by the names of its columns. */
const rows = (period?: { readonly from: string; readonly to: string }) => Effect.flatMap(written(period), rowsOf)

type Rows = Effect.Success<ReturnType<typeof rows>>

const kinds = (all: Rows) => all.map(({ kind }) => kind)
const sumOf = (all: Rows, column: "books" | "reserved") =>
  all.filter(({ entry }) => entry !== "").reduce((sum, row) => sum + BigInt(row[column] ?? ""), 0n)

/** Opening and entries come to the closing row, and nothing differs. */
const assertCloses = (all: Rows) => {
  assert.notInclude(kinds(all), "difference")
  const [first, last] = [all[0], all.at(-1)]
  assert.deepStrictEqual([first?.["kind"], last?.["kind"]], ["opening", "closing"])
  for (const column of ["books", "reserved"] as const) {
    assert.strictEqual(BigInt(first?.[column] ?? "") + sumOf(all, column), BigInt(last?.[column] ?? ""), column)
  }
}

const books = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly books: string }>`
    SELECT coalesce(sum(book_balance), 0)::text AS books FROM ai_agent_wallet_state`
  return BigInt(row?.books ?? "")
})

layer(Postgres.session())("the journal", (it) => {
  const { onSql } = stories(it)

  onSql("has what came, was reserved, paid and sent back, and closes to the books", function* () {
    const world = yield* World
    const who = yield* person("ann")
    const task = yield* order(who, 12)
    yield* start
    yield* pass(5)
    world.deposit(who.agentAddress, units(15))
    yield* pass(60)
    yield* refund(who.agentAddress, { confirm: true, to: who.userAddress, amount: units(2) }, WHY)
    yield* pass(60)
    const all = yield* rows()
    assertCloses(all)
    const entries = all.filter(({ entry }) => entry !== "")
    assert.deepStrictEqual(
      entries.map(({ kind, amount_usdc, books: changed, reserved }) => [kind, amount_usdc, changed, reserved]),
      [
        ["opened", "0.000000", "0", "0"],
        ["deposit", "15.000000", "15000000", "0"],
        ["reserved", "0.000000", "0", "12000000"],
        ["payment", "-10.000000", "-10000000", "-10000000"],
        ["payment", "-2.000000", "-2000000", "-2000000"],
        ["reserved", "0.000000", "0", "2000000"],
        ["refund", "-2.000000", "-2000000", "-2000000"]
      ]
    )
    assert.strictEqual(all.at(-1)?.["books"], String(yield* books))
    assert.strictEqual(all.at(-1)?.["books"], "1000000")
    const payment = entries.find(({ kind }) => kind === "payment")
    assert.deepInclude(payment, { order: task, batch: "1", wallet: who.agentAddress, user: who.userAddress })
    assert.match(payment?.["transaction"] ?? "", /^0x[0-9a-f]{64}$/)
    assert.match(payment?.["token"] ?? "", /^0x[0-9a-f]{40}$/)
  })

  onSql("releases what an order that fails has left, and enters nothing for one that was never paid", function* () {
    yield* order(yield* person("bob"), 1)
    const { task } = yield* givenFailed()
    const all = yield* rows()
    assertCloses(all)
    const ofOrder = all.filter((row) => row["order"] === task).map(({ kind, reserved }) => [kind, reserved])
    assert.deepStrictEqual(ofOrder, [
      ["reserved", "5000000"],
      ["released", "-5000000"]
    ])
    assert.lengthOf(new Set(all.map((row) => row["order"])), 2)
  })

  onSql("undoes a deposit that the chain took back, and enters it anew when it is there again", function* () {
    yield* paidOrder("ann", 2)
    yield* start
    yield* pass(60)
    const sql = yield* SqlClient.SqlClient
    const take = (isGone: boolean, sign: number) =>
      sql.withTransaction(
        Effect.andThen(
          sql`UPDATE ai_agent_deposits SET withdrawn_at = CASE WHEN ${isGone}::boolean THEN now() END`,
          sql`
            UPDATE ai_agent_wallet_state ws SET book_balance = book_balance + ${sign}::int * (SELECT coalesce(sum(d.amount), 0)
              FROM ai_agent_deposits d WHERE d.wallet_id = ws.wallet_id AND d.block > ws.opened_block)`
        )
      )
    yield* take(true, -1)
    const gone = yield* rows()
    assertCloses(gone)
    assert.strictEqual(kinds(gone).filter((kind) => kind === "deposit withdrawn").length, 1)
    yield* take(false, 1)
    const back = yield* rows()
    assertCloses(back)
    assert.strictEqual(kinds(back).filter((kind) => kind === "deposit").length, 2)
  })

  onSql("keeps the money of a held refund, and gives it back when that is withdrawn", function* () {
    const world = yield* World
    const { who } = yield* paidOrder("ann", 2)
    world.deposit(who.agentAddress, units(3))
    yield* start
    yield* pass(60)
    const sql = yield* SqlClient.SqlClient
    const { refundId } = yield* refund(who.agentAddress, { confirm: true, to: who.userAddress, amount: units(1) }, WHY)
    const move = (status: string, keeps: boolean) =>
      sql`UPDATE ai_agent_refunds SET status = ${status}, keeps_money = ${keeps} WHERE id = ${refundId ?? ""}::uuid`
    yield* move("held", true)
    const held = yield* rows()
    assertCloses(held)
    assert.strictEqual(held.at(-1)?.["reserved"], "1000000")
    yield* move("withdrawn", false)
    const free = yield* rows()
    assertCloses(free)
    assert.strictEqual(free.at(-1)?.["reserved"], "0")
    assert.strictEqual(free.at(-2)?.["kind"], "released")
  })

  onSql("begins anew with the books that a person opens anew", function* () {
    const world = yield* World
    const { who } = yield* paidOrder("ann", 2)
    world.deposit(who.agentAddress, units(3))
    yield* start
    yield* pass(60)
    world.spend(who.agentAddress, STRANGER, units(1))
    yield* pass(300)
    yield* resolveWallet(who.agentAddress, WHY)
    const all = yield* rows()
    assertCloses(all)
    assert.strictEqual(kinds(all).filter((kind) => kind === "opened").length, 2)
  })

  onSql("comes page by page, with equal times at the ends of the pages, and begins with what was before", function* () {
    yield* person("ann")
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      INSERT INTO ai_agent_journal (at, kind, wallet_id, amount, books)
      SELECT '2026-01-15T00:00:00.000001Z'::timestamptz + (n / 1500) * interval '1 day', 'deposit', w.id, 1, 1
      FROM ai_agent_wallets w, generate_series(1, 4500) n`
    yield* sql`
      INSERT INTO ai_agent_wallet_state (wallet_id, book_balance) SELECT id, 4500 FROM ai_agent_wallets
      ON CONFLICT (wallet_id) DO UPDATE SET book_balance = 4500`
    const all = yield* rows()
    assertCloses(all)
    const ids = all.flatMap(({ entry }) => (entry === "" ? [] : [Number(entry)]))
    assert.lengthOf(ids, 4500)
    assert.deepStrictEqual(
      ids,
      ids.toSorted((a, b) => a - b)
    )
    const second = yield* rows({ from: "2026-01-16", to: "2026-01-17" })
    assertCloses(second)
    assert.deepStrictEqual([second[0]?.["books"], second.at(-1)?.["books"]], ["1499", "2999"])
    assert.lengthOf(second, 1502)
    const empty = yield* rows({ from: "2027-01-01", to: "2027-02-01" })
    assert.deepStrictEqual(kinds(empty), ["opening", "closing"])
    assert.match(yield* refusal(journal({ from: "2026-02-01", to: "2026-02-01" })), /^The period is empty/)
  })

  onSql("names a wallet whose books have something else", function* () {
    yield* paidOrder("ann", 2)
    yield* start
    yield* pass(60)
    const sql = yield* SqlClient.SqlClient
    yield* sql`UPDATE ai_agent_wallet_state SET book_balance = book_balance + 1 WHERE book_balance IS NOT NULL`
    const all = yield* rows()
    assert.deepStrictEqual(kinds(all).slice(-2), ["difference", "closing"])
    assert.match(all.at(-2)?.["note"] ?? "", /^the entries of wallet \S+ come to 0\.00 USDC and its books to 0\.000001/)
  })

  onSql("has the texts of other programs as texts, one row a line", function* () {
    const who = yield* person("ann")
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      INSERT INTO ai_agent_journal (kind, wallet_id, token)
      SELECT 'reserved', w.id, '=HYPERLINK("http://x","a,b")' || chr(13) || chr(10) || ',,,,,difference,'
      FROM ai_agent_wallets w WHERE w.agent_address = ${who.agentAddress}`
    const csv = yield* written()
    const lines = csv.split("\r\n")
    assert.strictEqual(lines[0], COLUMNS.join())
    assert.lengthOf(lines, 5)
    const all = yield* rowsOf(csv)
    assert.strictEqual(all[1]?.["token"], `'=HYPERLINK("http://x","a,b")  ,,,,,difference,`)
  })
})

describe("a field of the journal", () => {
  const cases: ReadonlyArray<[given: string, written: string]> = [
    ["", ""],
    ["0xabc", "0xabc"],
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1", "'-1"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["|calc", "'|calc"],
    ["%0a", "'%0a"],
    [" =1", "' =1"],
    ["\t=1", "' =1"],
    ["\tx", "' x"],
    ["\rx", "' x"],
    ["\nx", "' x"],
    ["\u2028=1", "' =1"],
    ["\u00a0=1", "'\u00a0=1"],
    ["a=1", "a=1"],
    ["a\r\nb\0c", "a  b c"]
  ]
  for (const [given, expected] of cases) {
    it(`is text to a spreadsheet: ${JSON.stringify(given)}`, () => assert.strictEqual(harmless(given), expected))
  }
})
