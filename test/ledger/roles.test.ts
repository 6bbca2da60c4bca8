import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import { NEEDED, readTables, shapeFindings } from "../../src/checks/databaseTables.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { TaskRepo, wasFirst } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { clientAt, ledgerAt } from "../support/LedgerSql.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"
import { cut, funding, givenWallet, NOW_MS, ordersOf, signed, taskOf, TIP, TOKEN } from "./contract/given.ts"

/** The statements of docs/operating.md, as an owner types them. */
const documented = (): ReadonlyArray<string> => {
  const text = readFileSync(new URL("../../docs/operating.md", import.meta.url), "utf8")
  const [, block = ""] = /## Roles of the database[^]*?```sql\n([^]*?)```/.exec(text) ?? []
  return block.split(";").flatMap((statement) => (statement.trim() === "" ? [] : [statement.trim()]))
}

const as = (url: string, role: string): string => {
  const there = new URL(url)
  there.username = role
  there.password = ""
  return there.href
}

const refused = <E>(work: Effect.Effect<unknown, E, SqlClient.SqlClient>) =>
  Effect.map(Effect.result(work), ({ _tag }) => _tag === "Failure")

/** An order with the columns that the platform writes, and no others. */
const placed = Effect.fnUntraced(function* ({ id, userAddress }: Wallet) {
  const order = {
    walletId: id,
    userAddress,
    token: TOKEN,
    quantity: 4,
    pricePerMint: 1_500_000n,
    totalCost: 6_000_000n
  }
  return yield* (yield* LedgerFixture).insertOrder(order)
})

describe("the roles of the documents", () => {
  it.live("let the executor do all its work, the platform place orders, and neither do the other's", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* createV11Tables()
        yield* migrate
        yield* sql`DROP ROLE IF EXISTS mint_executor`
        yield* sql`DROP ROLE IF EXISTS mint_platform`
        const statements = documented()
        assert.isAbove(statements.length, 6)
        for (const statement of statements) yield* sql.unsafe(statement)
        const unseen = yield* sql`SELECT relname FROM pg_class
          WHERE relkind = 'r' AND relname LIKE 'ai\\_agent\\_%' AND NOT has_table_privilege('mint_executor', oid, 'SELECT')`
        assert.deepStrictEqual(unseen, [], "a table that the documents grant nothing on")
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      const tables = yield* Effect.provide(readTables, clientAt(as(url, "mint_executor"), 1), { local: true })
      assert.sameMembers([...tables.tables.keys()], Object.keys(NEEDED))
      const troubles = shapeFindings(tables).filter(({ level }) => level !== "ok")
      assert.deepStrictEqual(troubles, [])
      const platform = clientAt(as(url, "mint_platform"), 1)
      const executor = yield* ledgerAt(as(url, "mint_executor"))
      yield* Effect.gen(function* () {
        const wallet = yield* givenWallet()
        const id = yield* placed(wallet)
        assert.deepStrictEqual(yield* executor.checkWallets(NOW_MS), [])
        assert.lengthOf(yield* executor.fund([funding(yield* ordersOf(wallet), id)], TIP, NOW_MS), 1)
        const task = yield* taskOf(wallet, id)
        assert.isTrue(yield* wasFirst(executor.plan(task, cut(task, wallet, 10), NOW_MS)))
        const [before] = (yield* executor.walletWork(wallet.id)).batches
        const processing = yield* taskOf(wallet, id)
        assert.isTrue(
          before !== undefined &&
            (yield* wasFirst(executor.saveBatch({ before, after: signed(before), onlyFor: processing }, NOW_MS)))
        )
        const held = yield* placed(wallet)
        assert.deepStrictEqual(yield* executor.hold([{ taskId: held, reason: "a person looks" }], NOW_MS), [held])
        const sql = yield* SqlClient.SqlClient
        assert.isTrue(yield* refused(sql`UPDATE ai_agent_wallets SET user_address = agent_address`))
        assert.isTrue(yield* refused(sql`UPDATE ai_agent_tasks SET status = 'funded'`))
        assert.isTrue(yield* refused(sql`DELETE FROM ai_agent_wallet_pins`))
        assert.isTrue(yield* refused(sql`SELECT * FROM ai_agent_batches`))
      }).pipe(
        Effect.provideService(TaskRepo, executor),
        Effect.provide(LedgerFixture.layerSql),
        Effect.provide(platform, { local: true })
      )
      const theirs = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`UPDATE ai_agent_wallets SET user_address = 'x'`)
      assert.isTrue(yield* refused(theirs).pipe(Effect.provide(clientAt(as(url, "mint_executor"), 1), { local: true })))
    }).pipe(Effect.scoped, Effect.provide(Postgres.layer()))
  )
})
