import { Duration, Effect, type Schema } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import type { MigrationError } from "effect/sql/Migrator"
import type { SettingsShape } from "../config/Settings.ts"
import { databaseAdvice } from "../ops/advice.ts"
import { bounded } from "../ledger/sql/failure.ts"
import { attempt, type Findings, type Look } from "./attempt.ts"

/** For one look at the database: an operator waits, and a server that takes longer is the finding. */
const LIMIT_MAX = Duration.seconds(10)

type Query<A, R> = Effect.Effect<A, SqlError | MigrationError | Schema.SchemaError, R>

/** Bounds statements in time and says in words that hold no secret what went wrong with them. */
export const boundedBy = ({ databaseTimeout }: SettingsShape) => bounded(Duration.min(databaseTimeout, LIMIT_MAX))

/** Takes a look at the database; see `attempt`. */
export const lookAt = <R>(settings: SettingsShape, look: Look, query: Query<Findings, R>) =>
  attempt(
    look,
    Effect.mapError(boundedBy(settings)(look.what, query), ({ reason, detail }) => {
      const remedy = databaseAdvice(detail)
      return { message: `${reason}: ${detail}`, ...(remedy === undefined ? {} : { remedy }) }
    })
  )
