import { Layer } from "effect"
import * as LedgerMemory from "../support/memory/LedgerMemory.ts"
import { MemoryLedger } from "../support/memory/MemoryLedger.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { suite } from "./contract.ts"

suite(
  "the ledger in memory",
  Layer.mergeAll(LedgerFixture.layerMemory, LedgerMemory.layerNoDeps).pipe(Layer.provideMerge(MemoryLedger.layer))
)
