import { Layer } from "effect"
import * as TaskRepoMemory from "../../src/task/TaskRepoMemory.ts"
import { LedgerFixture } from "../support/LedgerFixture.ts"
import { suite } from "./contract.ts"

suite("the ledger in memory", LedgerFixture.layerMemory.pipe(Layer.provideMerge(TaskRepoMemory.layer)))
