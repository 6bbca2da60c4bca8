import { Effect } from "effect"
import type { Runner } from "../domain/Runner.ts"
import { makeState } from "./state.ts"

/** The executors that share the database, as this one last saw them: itself first. Empty where it shares with none. */
const runners = makeState<ReadonlyArray<Runner>>("Runners", Effect.succeed([]))

export const layer = runners.layer

export const note = (all: ReadonlyArray<Runner>): Effect.Effect<void> => runners.update(() => all)

export const all = runners.get

/** How many executors a limit that they have in common is divided by: this one included, and so at least one. */
export const count: Effect.Effect<number> = Effect.map(runners.get, ({ length }) => Math.max(1, length))
