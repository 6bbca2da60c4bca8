import { Effect } from "effect"
import { USDC_PAUSED, type UsdcState } from "../domain/UsdcState.ts"
import * as Incidents from "./Incidents.ts"
import * as Log from "./Log.ts"

const PAUSED = "usdc-paused"

/** Tells the operator that USDC is paused, and that it moves again. */
export const notePause = Effect.fnUntraced(function* ({ isPaused }: Pick<UsdcState, "isPaused">) {
  if (isPaused) {
    yield* Incidents.raiseStop(PAUSED, `${USDC_PAUSED}. All orders wait, and go on by themselves.`)
    return yield* Log.warnOnce(PAUSED, `⚠️ ${USDC_PAUSED}`)
  }
  if (yield* Incidents.close(PAUSED)) yield* Log.info("USDC moves again")
})
