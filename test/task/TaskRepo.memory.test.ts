import { Layer } from "effect"
import * as DecisionRepoMemory from "../../src/task/DecisionRepoMemory.ts"
import { MemoryLedger } from "../../src/task/MemoryLedger.ts"
import * as TaskRepoMemory from "../../src/task/TaskRepoMemory.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { suite } from "./contract.ts"

suite(
  "the ledger in memory",
  Layer.mergeAll(LedgerFixture.layerMemory, TaskRepoMemory.layerNoDeps, DecisionRepoMemory.layerNoDeps).pipe(
    Layer.provideMerge(MemoryLedger.layer)
  )
)
