import { Effect } from "effect"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { ChainClient } from "../chain/ChainClient.ts"
import type { KeyCustody } from "../chain/KeyCustody.ts"
import type { Settings } from "../config/Settings.ts"
import type { DecisionRepo } from "../task/DecisionRepo.ts"
import type { TaskRepo } from "../task/TaskRepo.ts"
import type { Ended, Io } from "./io.ts"
import { jsonOf } from "./json.ts"
import { type Report, wordsOf } from "./words.ts"

/** What commands work with. */
export type Tools = TaskRepo | DecisionRepo | ChainClient | KeyCustody | Settings | SecureRandom

/** Carries a command out where its tools are: they are opened only when the command is understood. */
export type Perform<E> = <A, E2>(operation: Effect.Effect<A, E2, Tools>) => Effect.Effect<A, E | E2 | Ended>

/** Carries a command out and tells its report. */
export type Tell<E> = <R extends Report, E2>(
  operation: Effect.Effect<R, E2, Tools>,
  asJson: boolean
) => Effect.Effect<R, E | E2 | Ended>

export const makeTell =
  <E>(io: Io, perform: Perform<E>): Tell<E> =>
  (operation, asJson) =>
    Effect.tap(perform(operation), (report) =>
      Effect.sync(() => io.out(asJson ? jsonOf(report) : wordsOf(report).join("\n")))
    )
