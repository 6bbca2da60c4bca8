import { Context, Effect } from "effect"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { Settings } from "../config/Settings.ts"
import { Minter } from "../mint/Minter.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { WatchRepo } from "../ledger/WatchRepo.ts"

/** What people's questions and decisions work with. */
export type Tools = Settings | TaskRepo | DecisionRepo | WatchRepo | ChainClient | KeyCustody | Minter | SecureRandom

const pick = Context.pick(Settings, TaskRepo, DecisionRepo, WatchRepo, ChainClient, KeyCustody, Minter, SecureRandom)

/** Gives the tools of the place where it is built to what is asked later. */
export const inside = Effect.map(
  Effect.context<Tools>(),
  (services) =>
    <A, E>(work: Effect.Effect<A, E, Tools>): Effect.Effect<A, E> =>
      Effect.provideContext(work, pick(services))
)
