import { Layer } from "effect"
import * as DecisionRepoMemory from "../support/memory/DecisionRepoMemory.ts"
import { MemoryLedger } from "../support/memory/MemoryLedger.ts"
import * as TaskRepoMemory from "../support/memory/TaskRepoMemory.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { suite } from "./contract.ts"

suite(
  "the ledger in memory",
  Layer.mergeAll(LedgerFixture.layerMemory, TaskRepoMemory.layerNoDeps, DecisionRepoMemory.layerNoDeps).pipe(
    Layer.provideMerge(MemoryLedger.layer)
  )
)
