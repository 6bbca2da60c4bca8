import { Layer } from "effect"
import * as Pglite from "../support/Pglite.ts"
import { ledgerAndFixture } from "../support/LedgerSql.ts"
import { suite } from "./contract.ts"

suite("the ledger in the embedded database", ledgerAndFixture().pipe(Layer.provide(Pglite.layer())))
