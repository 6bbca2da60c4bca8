import { Context, Effect, Layer } from "effect"
import { DecisionRepo } from "../../../src/ledger/DecisionRepo.ts"
import { TaskRepo } from "../../../src/ledger/TaskRepo.ts"
import { methodsOn } from "../../../src/ledger/sql/statements.ts"
import { MemoryLedger, workOn } from "./MemoryLedger.ts"
import { chain } from "./chain.ts"
import { decisionReads } from "./decisionReads.ts"
import { decisions } from "./decisions.ts"
import { deposits } from "./deposits.ts"
import { holds } from "./holds.ts"
import { limitDecisions } from "./limitDecisions.ts"
import { pages } from "./pages.ts"
import { payIns } from "./payIns.ts"
import { quotes } from "./quotes.ts"
import { steps } from "./steps.ts"
import { sweep } from "./sweep.ts"
import { wallets } from "./wallets.ts"
import { work } from "./work.ts"

const tasks = { ...pages, ...payIns, ...deposits, ...wallets, ...sweep, ...holds, ...work, ...steps, ...chain }
const decided = { ...decisions, ...limitDecisions, ...decisionReads, ...quotes }

/**
 * The repos over a `MemoryLedger`, with every promise of those in PostgreSQL: the contract suite runs on both. Built
 * anew they are a restarted process, built twice they are two of them.
 */
export const layerNoDeps = Layer.effectContext(
  Effect.map(MemoryLedger, (ledger) =>
    Context.make(TaskRepo, methodsOn(workOn(ledger), tasks)).pipe(
      Context.add(DecisionRepo, methodsOn(workOn(ledger), decided))
    )
  )
)

/** With a database of its own, which the other programs of a test write to as well. */
export const layer = layerNoDeps.pipe(Layer.provideMerge(MemoryLedger.layer))
