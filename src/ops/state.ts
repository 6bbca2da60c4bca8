import { Context, Effect, Layer, Ref } from "effect"

/**
 * State that all parts of a program share, in a `Ref` that `layer` brings. Without the layer nothing is kept, so that a
 * part runs alone as well: reads give `initial`, and writes do nothing.
 */
export const makeState = <S>(id: string, initial: Effect.Effect<S>) => {
  const Current = Context.Reference<Ref.Ref<S> | undefined>(`ai-mint-executor/ops/${id}`, {
    defaultValue: () => undefined
  })
  const fresh = Effect.flatMap(initial, (state) => Ref.make(state))
  const ref = Effect.flatMap(Current, (kept) => (kept === undefined ? fresh : Effect.succeed(kept)))
  return {
    layer: Layer.effect(Current, fresh),
    get: Effect.flatMap(ref, Ref.get),
    update: (change: (state: S) => S) => Effect.flatMap(ref, Ref.update(change)),
    modify: <A>(change: (state: S) => readonly [A, S]) => Effect.flatMap(ref, Ref.modify(change))
  }
}
