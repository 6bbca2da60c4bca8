import { Effect, Queue, Redacted, Result } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import type { IdentifiedNode } from "../domain/requirements.ts"
import { hostOf } from "../ops/redact.ts"
import { type Findings, reportOn } from "./Finding.ts"

const report = reportOn("chain")

/**
 * Each WebSocket URL: whether a new block was announced on it, for which it has the time of three. Where none is, blocks
 * are asked for, so that it is a warning. `first`: a node that leads to the chain of `NETWORK`, where one answered.
 */
export const examineAnnouncements = Effect.fnUntraced(function* (
  { network, wsUrls }: Pick<SettingsShape, "network" | "wsUrls">,
  first: IdentifiedNode | undefined
): Effect.fn.Return<Findings> {
  if (wsUrls.length === 0) return []
  const { listen } = yield* Effect.promise(() => import("../chain/subscription.ts"))
  return yield* Effect.forEach(
    wsUrls,
    Effect.fnUntraced(function* (url, index) {
      const what = `WebSocket ${index + 1}`
      const host = hostOf(Redacted.value(url))
      const heads = yield* Queue.unbounded<bigint>()
      const listening = listen({ url, host, network, first }, (head) => Queue.offer(heads, head))
      // The first is the newest block, which is asked for; the second was announced.
      const announced = Effect.andThen(Queue.take(heads), Queue.take(heads))
      const heard = yield* Effect.result(Effect.scoped(Effect.raceFirst(announced, listening)))
      if (Result.isSuccess(heard)) return report.ok({ what, detail: `${host} announced block ${heard.success}` })
      const { reason, detail } = heard.failure
      return report.warn({
        what,
        detail: `${host} announces no new blocks: ${reason}, ${detail}`,
        remedy: `They are asked for instead. Repair it, or take it out of ${network.rpcKey}.`
      })
    }),
    { concurrency: "unbounded" }
  )
})
