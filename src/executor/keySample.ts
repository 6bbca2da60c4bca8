import { Effect, Result, Runtime, Schema } from "effect"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"

/** A key that opens none of so many wallets opens none of the others. */
const WALLETS = 20

/** `AGENT_ENCRYPTION_KEY` opens no wallet of the database: every order would be held. The executor must not start. */
export class WrongKey extends Schema.TaggedError<WrongKey>()("WrongKey", { message: Schema.String }) {
  /** `EX_CONFIG`: pm2 does not restart what the same settings would only stop again. */
  override readonly [Runtime.errorExitCode] = 78
}

/**
 * Opens the keys of some wallets. A row that holds no key at all says nothing about `AGENT_ENCRYPTION_KEY`, and one that
 * opens is enough: the others are held one by one, each with its reason.
 */
export const checkKeySample = Effect.gen(function* () {
  const custody = yield* KeyCustody
  const sample = yield* (yield* TaskRepo).sampleWallets(WALLETS)
  const opened = yield* Effect.forEach(sample, (wallet) => Effect.result(custody.check(wallet)))
  const locked = opened.filter((result) => Result.isFailure(result) && result.failure.reason === "Locked").length
  const unlocked = opened.some((result) => Result.isSuccess(result))
  if (locked === 0 || unlocked) return
  return yield* new WrongKey({
    message:
      `AGENT_ENCRYPTION_KEY opens none of ${locked} agent wallet${locked === 1 ? "" : "s"} that were tried. ` +
      "Set it to the key that encrypted_private_key in ai_agent_wallets was encrypted with; nothing was changed."
  })
})
