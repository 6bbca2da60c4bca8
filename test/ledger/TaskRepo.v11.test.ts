import { Layer } from "effect"
import { ledgerAndFixture } from "../support/LedgerSql.ts"
import { createV11Tables } from "../support/LedgerV11.ts"
import * as Postgres from "../support/Postgres.ts"
import { suite } from "./contract.ts"

/** Fourteen hours from UTC: a time that is read in the wrong zone cannot pass for a right one. */
const database = Postgres.layer({ timezone: "Pacific/Kiritimati" })

// Without the foreign key, as the suite has orders of wallets that do not exist.
const tables = Layer.effectDiscard(createV11Tables({ strict: false }))

suite(
  "the ledger on v1.1's tables, far from UTC",
  ledgerAndFixture().pipe(Layer.provide(tables), Layer.provide(database))
)
