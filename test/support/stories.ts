import type { Vitest } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import type { SqlClient } from "effect/sql"
import type { core } from "../../src/App.ts"
import type { KeyRepo } from "../../src/ledger/KeyRepo.ts"
import type { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import type { WebhookRepo } from "../../src/ledger/WebhookRepo.ts"
import type { stage } from "./executor.ts"
import { World, type WorldState } from "./World.ts"

/** What every story may ask for: the executor's own services, the world around it and the ledger. */
export type Staged =
  | Exclude<Layer.Success<typeof core> | Layer.Success<ReturnType<typeof stage>>, WatchRepo | KeyRepo | WebhookRepo>
  | SqlClient.SqlClient
  | Scope.Scope

/** What a story may ask for in which a person decides. */
export type Decided = Staged | SecureRandom.SecureRandom

type Body<R, Given extends ReadonlyArray<unknown>> = (
  ...given: Given
) => Generator<Effect.Effect<unknown, unknown, R>, void, never>

interface Told<R, Given extends ReadonlyArray<unknown>> {
  (name: string, body: Body<R, Given>): void
  /** The same with each of these given. */
  readonly each: <T>(cases: ReadonlyArray<T>) => (name: string, body: Body<R, [...Given, T]>) => void
}

interface Tests<R> {
  readonly effect: Vitest.Tester<R>
}

const toldBy = <R, Given extends ReadonlyArray<unknown>>(
  it: Tests<never>,
  run: (
    body: (...given: Given) => Generator<Effect.Effect<unknown, unknown, R>, void, never>
  ) => Effect.Effect<void, unknown>
): Told<R, Given> =>
  Object.assign((name: string, body: Body<R, Given>) => it.effect(name, () => run(body)), {
    each:
      <T>(cases: ReadonlyArray<T>) =>
      (name: string, body: Body<R, [...Given, T]>) =>
        it.effect.each(cases)(name, (one) => run((...given) => body(...given, one)))
  })

type Wiring<R, Base> = (test: Effect.Effect<void, unknown, R>) => Effect.Effect<void, unknown, Base>

type Around = <A, E, R>(test: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Tests that are generators of effects. `on`: the layer that each is provided with, or what is done around each. */
export const effects = <R, S = never, E = never>(it: Tests<R>, on?: Layer.Layer<S, E, R> | Around): Told<R | S, []> =>
  toldBy(it as never, (body) => {
    const test = Effect.gen(body) as Effect.Effect<void, unknown, never>
    if (on === undefined) return test
    return typeof on === "function" ? on(test) : (Effect.provide(test, on as never) as typeof test)
  })

/** Tests that are told of a world, on this wiring: `inMemory(…)`, `onWorld(…)` or one made of them. */
export const stories: {
  <R = Staged>(it: Tests<Scope.Scope>, on: Wiring<R, Scope.Scope>): Told<R, [WorldState]>
  <R = Staged>(
    it: Tests<SqlClient.SqlClient | Scope.Scope>,
    on: Wiring<R, SqlClient.SqlClient | Scope.Scope>
  ): Told<R, [WorldState]>
} = <R>(it: Tests<never>, on: Wiring<R, unknown>): Told<R, [WorldState]> =>
  toldBy(
    it,
    (body) =>
      on(Effect.flatMap(World as never, (world: WorldState) => Effect.gen(() => body(world)))) as Effect.Effect<void>
  )
