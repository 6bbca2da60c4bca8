import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import type { SettingsShape } from "../../src/config/Settings.ts"
import { address } from "../../src/domain/Address.ts"
import type { ChainIdentity } from "../../src/ledger/NetworkBinding.ts"
import { layerFor } from "../../src/ledger/prepare.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { LedgerFixture } from "./LedgerFixture.ts"
import { settings } from "./settings.ts"

/** The chain that the databases of these tests belong to. */
export const CHAIN: ChainIdentity = {
  chainId: 31337,
  usdc: address(`0x${"05".repeat(20)}`),
  genesis: `0x${"9e".repeat(32)}`,
  confirmedBlock: 77n
}

/** The ledger on the database that is given, prepared as at a start of the executor. */
export const ledger = (changes: Partial<SettingsShape> = {}) => layerFor(CHAIN).pipe(Layer.provide(settings(changes)))

/** The same, with the other programs beside it. */
export const ledgerAndFixture = (changes: Partial<SettingsShape> = {}) =>
  LedgerFixture.layerSql.pipe(Layer.provideMerge(ledger(changes)))

/** Connections of one process to the database at `url`. */
export const clientAt = (url: string, connections = 10) =>
  PgClient.layer({ url: Redacted.make(url), maxConnections: connections })

/** The ledger of another process on the same database: nothing is shared with it but the database. */
export const ledgerAt = Effect.fnUntraced(function* (url: string, changes: Partial<SettingsShape> = {}) {
  const built = yield* Layer.build(Layer.fresh(ledger(changes).pipe(Layer.provide(clientAt(url)))))
  return Context.get(built, TaskRepo)
})
