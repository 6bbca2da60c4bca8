import { Effect, Schedule } from "effect"
import type { Executor } from "./executorProcess.ts"

/** Often enough to see each sweep alone: at most one ends between two looks. */
const LOOK = Schedule.spaced("200 millis")

const valueIn = (text: string, name: string): number => {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? 0)
}

interface Sweeps {
  readonly count: number
  readonly seconds: number
  readonly checked: number
}

/** All sweeps so far, by what the executor tells of them; none where its API does not listen yet. */
const sweepsOf = ({ url }: Executor): Effect.Effect<Sweeps> =>
  Effect.promise(async () => {
    const text = await fetch(`${url}/metrics`).then(
      (answer) => answer.text(),
      () => ""
    )
    const histogram = "ai_mint_loop_tick_duration_seconds"
    return {
      count: valueIn(text, `${histogram}_count{loop="check"}`),
      seconds: valueIn(text, `${histogram}_sum{loop="check"}`),
      checked: valueIn(text, "ai_mint_sweep_checked")
    }
  })

const untilSweeps = (executor: Executor, more: number) =>
  sweepsOf(executor).pipe(Effect.repeat({ schedule: LOOK, until: ({ count }) => count >= more }))

/**
 * How long each of the next `rounds` sweeps over all `orders` takes, in milliseconds, after the first one, which opens
 * every key. Where one sweep is limited to fewer orders, the time is that of as many sweeps as it takes.
 */
export const timeSweeps = Effect.fnUntraced(function* (executor: Executor, orders: number, rounds: number) {
  const passes = (checked: number): number => Math.ceil(orders / Math.max(1, checked))
  const first = yield* untilSweeps(executor, 1)
  let before = yield* untilSweeps(executor, passes(first.checked))
  const tookMs: Array<number> = []
  while (tookMs.length < rounds) {
    const after = yield* untilSweeps(executor, before.count + passes(before.checked))
    const each = (after.seconds - before.seconds) / (after.count - before.count)
    tookMs.push(each * 1000 * passes(before.checked))
    before = after
  }
  return tookMs
})
