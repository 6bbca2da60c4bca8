import { type Context, Effect } from "effect"
import type { Block } from "../domain/Block.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Incidents from "../ops/Incidents.ts"
import { NodeFault } from "./classify.ts"
import type { Validate } from "./endpoint.ts"

const KEY = "block-time"

/**
 * Rejects a block that is minutes ahead of every clock that can be asked: by its time orders would be cancelled, and
 * payments signed that are valid until then.
 */
export const validateBlockTime: Effect.Effect<Validate<{ readonly block: Block }>> = Effect.map(
  Clocks.latestBelievableMs,
  (latestMs) =>
    ({ block }) =>
      block.timeMs <= latestMs
        ? undefined
        : new NodeFault({
            reason: "Doubtful",
            detail: `block ${block.number} is later than every clock that can be asked`
          })
)

/** No node gave a time that can be believed: nothing is decided or signed until one does. */
export const raiseNoTime = Incidents.raiseStop(
  KEY,
  "No node gives a block whose time can be believed: nothing is cancelled or signed. Put another URL into the list, or look at the clock of this machine."
)

export const closeNoTime = Incidents.close(KEY)

/** The same `fetch`, which notes the time (`Date`) of every answer. */
export const notingDates =
  (fetch: typeof globalThis.fetch, context: Context.Context<never>): typeof globalThis.fetch =>
  async (input, init) => {
    const answer = await fetch(input, init)
    const { host } = new URL(input instanceof Request ? input.url : input)
    Effect.runSyncWith(context)(Clocks.noteDate(host, answer.headers.get("date")))
    return answer
  }
