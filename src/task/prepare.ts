import { Effect, Layer } from "effect"
import { Settings } from "../config/Settings.ts"
import { bringUpToDate } from "./bringUpToDate.ts"
import * as DecisionRepoSql from "./DecisionRepoSql.ts"
import { migrateTelling } from "./migrate.ts"
import { bindToChain, type ChainIdentity, WrongDatabase } from "./NetworkBinding.ts"
import { readSoundness } from "./soundness.ts"
import { bounded } from "./sql/failure.ts"
import * as TaskRepoSql from "./TaskRepoSql.ts"
import * as WatchRepoSql from "./WatchRepoSql.ts"

/** The ledger, what people decide about it and what they look at, of a database that has been brought up to date and belongs to this chain. */
export const layerFor = (chain: ChainIdentity) =>
  Layer.mergeAll(TaskRepoSql.layer, DecisionRepoSql.layer, WatchRepoSql.layer).pipe(Layer.provide(prepared(chain)))

const tell = (pending: ReadonlyArray<string>) =>
  Effect.logInfo(`Bringing the database up to date: ${pending.join(", ")}`)

const prepared = (chain: ChainIdentity) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { databaseTimeout } = yield* Settings
      yield* bringUpToDate(migrateTelling(tell))
      const wrong = yield* bounded(databaseTimeout)("read the chain of the database", bindToChain(chain))
      if (wrong !== undefined) return yield* wrong
      const [unsound] = yield* bounded(databaseTimeout)("look at what the database hides", readSoundness)
      if (unsound === undefined) return
      const { detail, remedy } = unsound
      return yield* new WrongDatabase({ message: `${detail[0]?.toUpperCase()}${detail.slice(1)}. ${remedy}` })
    })
  )
