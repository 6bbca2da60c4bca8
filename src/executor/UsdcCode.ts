import { Clock, Context, Effect, Layer, Ref } from "effect"
import { ChainClient, type ChainError } from "../chain/ChainClient.ts"
import * as Clocks from "../ops/Clocks.ts"
import * as Incidents from "../ops/Incidents.ts"
import * as Log from "../ops/Log.ts"
import { type LedgerError, TaskRepo } from "../ledger/TaskRepo.ts"

/** Where one node alone can be asked, it must say the same again after so long: one answer may be a mistake. */
const SECOND_LOOK_MS = 4_000

const KEY = "usdc-code"

/** What is known of the code since the start. */
interface Known {
  /** Whether the last check found the code that the ledger has noted: before that nothing is signed. */
  readonly isSame: boolean
  /** Another code, which one node alone reports, and since when. */
  readonly suspect: { readonly code: string; readonly sinceMs: number } | undefined
}

const make = Effect.gen(function* () {
  const chain = yield* ChainClient
  const repo = yield* TaskRepo
  const known = yield* Ref.make<Known>({ isSame: false, suspect: undefined })

  /** One node alone does not stop all payments: a second node must report the same, or the same node again later. */
  const isSure = Effect.fnUntraced(function* (code: string, before: string) {
    const reported = yield* chain.usdcCodes
    const agreeing = reported.filter((one) => one === code).length
    if (agreeing > 1) return true
    if (reported.includes(before)) {
      yield* Ref.set(known, { isSame: true, suspect: undefined })
      yield* warnOfContradiction(code, before)
      return false
    }
    const nowMs = yield* Clock.currentTimeMillis
    const sinceMs = yield* Ref.modify(known, (before) => {
      const suspect = before.suspect?.code === code ? before.suspect : { code, sinceMs: nowMs }
      return [suspect.sinceMs, { isSame: false, suspect }]
    })
    return agreeing === 1 && nowMs - sinceMs >= SECOND_LOOK_MS
  })

  const look = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const code = yield* chain.usdcCode
    const { before, databaseMs } = yield* repo.noteUsdcCode({ code, isSure: false }, nowMs)
    if (databaseMs !== undefined) yield* Clocks.note(Clocks.DATABASE, databaseMs)
    if (before !== undefined && !(yield* isSure(code, before))) return
    yield* Ref.update(known, ({ isSame }) => ({ isSame, suspect: undefined }))
    const change = before === undefined ? undefined : yield* repo.noteUsdcCode({ code, isSure: true }, nowMs)
    yield* Ref.set(known, { isSame: true, suspect: undefined })
    if (change === undefined) return void (yield* Incidents.close(KEY))
    if (change.before !== undefined) yield* logChange(change.before, code)
  }).pipe(Effect.withSpan("UsdcCode.look"))

  const lookIfPossible = Effect.catch(look, ({ message }) =>
    Log.warnOnce(KEY, `⚠️ The code of USDC is not known: ${message}`)
  )

  const reasonToWait = Effect.gen(function* () {
    const before = yield* Ref.get(known)
    if (!before.isSame && before.suspect === undefined) yield* lookIfPossible
    const { isSame, suspect } = yield* Ref.get(known)
    if (isSame) return undefined
    if (suspect === undefined) return "the code of USDC could not be looked at since the start"
    return `a node says that USDC runs other code (${suspect.code}), and no other answer has confirmed it yet`
  })

  return UsdcCode.of({ look, lookIfPossible, reasonToWait })
})

/**
 * Whether USDC still runs the code that it ran before: how a payment is made and proven follows from that code. Looked
 * at before anything is signed after a start, and then once a sweep.
 */
export class UsdcCode extends Context.Service<
  UsdcCode,
  {
    /** Reads the code, and pauses all payments where it is another one and more than one answer says so. */
    readonly look: Effect.Effect<void, ChainError | LedgerError>
    /** The same for a start or a sweep, which goes on where no node answers: the next one tries again. */
    readonly lookIfPossible: Effect.Effect<void>
    /** Why nothing may be signed now, or `undefined` where the code is the one that is noted. */
    readonly reasonToWait: Effect.Effect<string | undefined>
  }
>()("ai-mint-executor/executor/UsdcCode") {
  static readonly layer = Layer.effect(UsdcCode, make)
}

const logChange = (before: string, code: string) =>
  Log.error(`🚨 The code of USDC changed from ${before} to ${code}: nothing is paid until ai-mint resume accepts it`)

const warnOfContradiction = Effect.fnUntraced(function* (code: string, before: string) {
  const words =
    `One node says that USDC runs the code ${code}, another that it still runs ${before}, which payments go by. ` +
    "Look which is right, and take the other out of the list of RPC URLs."
  yield* Incidents.raise(KEY, words)
  yield* Log.warnOnce(KEY, `⚠️ ${words}`)
})
