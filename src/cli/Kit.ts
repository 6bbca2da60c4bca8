import type { Effect } from "effect"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { ChainClient } from "../chain/ChainClient.ts"
import type { KeyCustody } from "../chain/KeyCustody.ts"
import type { Settings } from "../config/Settings.ts"
import type { Diagnosis } from "../checks/Finding.ts"
import type { MigrationReport } from "../checks/migrations.ts"
import type { Usdc } from "../domain/Usdc.ts"
import type { DecisionRepo } from "../ledger/DecisionRepo.ts"
import type { WatchRepo } from "../ledger/WatchRepo.ts"
import type { TaskRepo } from "../ledger/TaskRepo.ts"
import type { Minter } from "../mint/Minter.ts"
import type { Terms } from "./client/ask.ts"
import type { Executor } from "./client/Executor.ts"
import type { AskError, Failed } from "./client/Failed.ts"
import type { Io } from "./io.ts"
import type { Tell } from "./tell.ts"
import type { SandboxPayment } from "./words/sandbox.ts"

/** What decisions work with where no executor carries them out. */
export type Tools = TaskRepo | DecisionRepo | WatchRepo | ChainClient | KeyCustody | Minter | Settings | SecureRandom

/** The ways to what commands are about. Each is opened only when the command is understood. */
export interface Ways<E> {
  /** Asks the running executor. */
  readonly ask: <A>(
    question: (executor: Executor) => Effect.Effect<A, AskError>,
    terms: Terms
  ) => Effect.Effect<A, E | Failed>
  /** Straight on database and chain of the settings, beside an executor or without one. */
  readonly direct: <A, E2>(operation: Effect.Effect<A, E2, Tools>) => Effect.Effect<A, E | E2>
  readonly examine: Effect.Effect<Diagnosis, E>
  readonly migrate: (options: { readonly dryRun: boolean }) => Effect.Effect<MigrationReport, E>
  /** The person's part, in the sandbox that runs. `undefined`: all that the order costs. */
  readonly payOrder: (task: string, amount: Usdc | undefined) => Effect.Effect<SandboxPayment, E>
  /** Deletes the data of the sandbox that does not run. Gives what is to be said. */
  readonly resetSandbox: Effect.Effect<string, E>
}

/** What every command is made with. */
export interface Kit<E> {
  readonly ways: Ways<E>
  readonly tell: Tell
  readonly io: Io
}
