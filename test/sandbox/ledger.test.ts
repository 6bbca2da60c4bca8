import { Layer } from "effect"
import * as Pglite from "../../src/sandbox/Pglite.ts"
import { ledgerAndFixture } from "../support/LedgerSql.ts"
import { suite } from "../ledger/contract.ts"

suite("the ledger in the sandbox's database", ledgerAndFixture().pipe(Layer.provide(Pglite.layer())))
