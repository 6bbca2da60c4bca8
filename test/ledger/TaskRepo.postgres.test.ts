import { Layer } from "effect"
import { ledgerAndFixture } from "../support/LedgerSql.ts"
import * as Postgres from "../support/Postgres.ts"
import { suite } from "./contract.ts"

suite("the ledger in PostgreSQL", ledgerAndFixture().pipe(Layer.provide(Postgres.layer())))
