import { Clock, Effect } from "effect"
import { ChainClient } from "../chain/ChainClient.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Log from "../ops/Log.ts"
import { TaskRepo } from "../task/TaskRepo.ts"

/**
 * Looks whether USDC runs the code that it ran before: how a payment is made and proven follows from it. Where it does
 * not, everything is paused. Once before anything is paid, and then once a sweep.
 */
export const checkUsdcCode = Effect.fn("CheckLoop.checkUsdcCode")(function* () {
  const code = yield* (yield* ChainClient).usdcCode
  const { before, databaseMs } = yield* (yield* TaskRepo).noteUsdcCode(code, yield* Clock.currentTimeMillis)
  if (databaseMs !== undefined) yield* Clocks.note(Clocks.DATABASE, databaseMs)
  if (before === undefined) return
  yield* Log.error(
    `🚨 The code of USDC changed from ${before} to ${code}: nothing is paid until ai-mint resume accepts it`
  )
})

/** Start and sweeps go on where no node answers: then nothing can be paid either, and the next sweep looks again. */
export const checkUsdcCodeIfPossible = checkUsdcCode().pipe(
  Effect.catch(({ message }) => Log.warnOnce("usdc-code", `⚠️ The code of USDC is not known: ${message}`))
)
