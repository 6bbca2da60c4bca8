import type { Vitest } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import type { SqlClient } from "effect/sql"
import type { core } from "../../src/App.ts"
import type { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import type { stage } from "./executor.ts"
import { World, type WorldState } from "./World.ts"

/** What every story may ask for: the executor's own services, the world around it and the ledger. */
export type Staged =
  | Exclude<Layer.Success<typeof core> | Layer.Success<ReturnType<typeof stage>>, WatchRepo>
  | SqlClient.SqlClient
  | Scope.Scope

/** What a story may ask for in which a person decides. */
export type Decided = Staged | SecureRandom.SecureRandom

/** What happens in a world, as a generator of effects. */
type Story<R, A extends ReadonlyArray<unknown>> = (
  world: WorldState,
  ...given: A
) => Generator<Effect.Effect<unknown, unknown, R>, void, never>

interface Stories<R> {
  (name: string, story: Story<R, []>): void
  /** The same story with each of these given. */
  readonly each: <T>(cases: ReadonlyArray<T>) => (name: string, story: Story<R, [T]>) => void
}

interface Tests<R> {
  readonly effect: Vitest.Tester<R>
}

type Wiring<R, Base> = (test: Effect.Effect<void, unknown, R>) => Effect.Effect<void, unknown, Base>

/** Tests that are told on this wiring: `inMemory(…)`, `onWorld(…)` or one made of them. */
export const stories: {
  <R = Staged>(it: Tests<Scope.Scope>, on: Wiring<R, Scope.Scope>): Stories<R>
  <R = Staged>(
    it: Tests<SqlClient.SqlClient | Scope.Scope>,
    on: Wiring<R, SqlClient.SqlClient | Scope.Scope>
  ): Stories<R>
} = <R>(it: Tests<never>, on: Wiring<R, unknown>): Stories<R> => {
  const told = <A extends ReadonlyArray<unknown>>(story: Story<R, A>, ...given: A) =>
    on(
      Effect.flatMap(World as never, (world: WorldState) => Effect.gen(() => story(world, ...given)))
    ) as Effect.Effect<void, unknown>
  return Object.assign((name: string, story: Story<R, []>) => it.effect(name, () => told(story)), {
    each:
      <T>(cases: ReadonlyArray<T>) =>
      (name: string, story: Story<R, [T]>) =>
        it.effect.each(cases)(name, (one) => told(story, one))
  })
}
