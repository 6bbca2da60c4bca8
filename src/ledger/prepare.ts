import { Effect, Layer, Schema } from "effect"
import { Settings } from "../config/Settings.ts"
import { problemMessage } from "../domain/requirements.ts"
import * as LedgerSql from "./LedgerSql.ts"
import { bringUpToDate, migrateTelling, pendingMigrations } from "./migrate.ts"
import { bindToChain, type ChainIdentity, WrongDatabase } from "./NetworkBinding.ts"
import { readSoundness } from "./soundness.ts"
import { bounded } from "./sql/failure.ts"

/** The ledger, what people decide about it and what they look at, of a database that has been brought up to date and belongs to this chain. */
export const layerFor = (chain: ChainIdentity) => layerAfter(bringUpToDate(migrateTelling(tell)), chain)

/**
 * The same for a command, beside an executor or without one: it changes no table. What is to be done to the tables of a
 * v1.1 database is for `ai-mint migrate` or a start, and not for who wants to look.
 */
export const layerAsIs = (chain: ChainIdentity) => layerAfter(refuseOutdated, chain)

const layerAfter = <E, R>(upToDate: Effect.Effect<unknown, E, R>, chain: ChainIdentity) =>
  LedgerSql.layer.pipe(Layer.provide(prepared(upToDate, chain)))

const tell = (pending: ReadonlyArray<string>) =>
  Effect.logInfo(`Bringing the database up to date: ${pending.join(", ")}`)

/** The tables are not those that this program works with. */
export class Outdated extends Schema.TaggedError<Outdated>()("Outdated", { pending: Schema.Array(Schema.String) }) {
  override get message(): string {
    return (
      `The database is not up to date, and nothing was done: ${this.pending.join(", ")} to do. ` +
      "ai-mint migrate does that, and so does a start of the executor."
    )
  }
}

const refuseOutdated = Effect.gen(function* () {
  const { databaseTimeout } = yield* Settings
  const { pending } = yield* bounded(databaseTimeout)("read how far the database is", pendingMigrations)
  if (pending.length > 0) return yield* new Outdated({ pending })
})

const prepared = <E, R>(upToDate: Effect.Effect<unknown, E, R>, chain: ChainIdentity) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { databaseTimeout } = yield* Settings
      yield* upToDate
      const wrong = yield* bounded(databaseTimeout)("read the chain of the database", bindToChain(chain))
      if (wrong !== undefined) return yield* wrong
      const [unsound] = yield* bounded(databaseTimeout)("look at what the database hides", readSoundness)
      if (unsound !== undefined) return yield* new WrongDatabase({ message: problemMessage(unsound) })
    })
  )
