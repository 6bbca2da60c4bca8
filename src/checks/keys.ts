import { Effect, Result, Runtime, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { KeyCustody } from "../chain/KeyCustody.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { encryptionKeyProblem, type KeyAnswer, problemMessage } from "../domain/requirements.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { readWallet, walletColumns, WalletFields } from "../ledger/sql/rows.ts"
import { type Finding, reportOn } from "./Finding.ts"

const report = reportOn("keys")

/** About a millisecond each; a wrong `AGENT_ENCRYPTION_KEY` shows in the first one. */
const WALLETS_MAX = 200

/** Where there is no open order, some wallets still tell whether the key is the right one. */
const WALLETS_WITHOUT_ORDER = 5

/** A row that is broken has a reason of its own: more than these are not listed. */
const REASONS_MAX = 3

const Rows = Schema.Array(Schema.Struct({ ...WalletFields, is_open: Schema.Boolean }))

/** Whether the keys of wallets that work waits for can be opened. Nothing is signed. */
export const keys = Effect.fnUntraced(function* (settings: SettingsShape) {
  if (settings.agentEncryptionKey === undefined) return [noEncryptionKey]
  const sql = yield* SqlClient.SqlClient
  const rows = yield* Schema.decodeUnknownEffect(Rows)(
    yield* sql`
    WITH picked AS (
      SELECT w.*, EXISTS (SELECT 1 FROM ai_agent_tasks t
        WHERE t.agent_wallet_id = w.id AND t.status IN ('pending_payment', 'funded', 'processing')) AS is_open
      FROM ai_agent_wallets w
    )
    SELECT ${walletColumns(sql)}, w.is_open FROM picked w ORDER BY w.is_open DESC, w.created_at DESC
    LIMIT ${WALLETS_MAX}::int`
  )
  const open = rows.filter(({ is_open }) => is_open)
  const sample = open.length > 0 ? open : rows.slice(0, WALLETS_WITHOUT_ORDER)
  const faults = yield* Effect.forEach(sample, (row) => {
    const wallet = readWallet(row.wallet_id ?? "", row)
    if (Result.isFailure(wallet)) return Effect.succeed({ answer: "broken", reason: wallet.failure } as const)
    const { agentAddress } = wallet.success
    return Effect.map(keyAnswer(wallet.success), ({ answer, reason }) => ({
      answer,
      reason: reason?.replace(`the key of agent wallet ${agentAddress} `, "")
    }))
  })
  return keyFindings(open.length > 0 ? "with open orders" : "(no order is open)", faults)
})

/** Whether a wallet's key opens, and the reason where it does not. */
const keyAnswer = Effect.fnUntraced(function* (wallet: Wallet) {
  const custody = yield* KeyCustody
  return yield* custody.check(wallet).pipe(
    Effect.match({
      onSuccess: () => ({ answer: "opens", reason: undefined }) as const,
      onFailure: ({ reason, message }) =>
        ({ answer: reason === "Locked" ? "locked" : "broken", reason: message }) as const
    })
  )
})

const openable = (wallets: number, whose: string): string =>
  wallets === 1 ? `that of the one wallet ${whose}` : `those of all ${wallets} wallets ${whose}`

interface CheckedKey {
  readonly answer: KeyAnswer
  /** Why the key cannot be used; undefined where it can. */
  readonly reason: string | undefined
}

const keyFindings = (whose: string, keys: ReadonlyArray<CheckedKey>): ReadonlyArray<Finding> => {
  const what = "wallet keys"
  if (keys.length === 0) return [report.ok({ what, detail: "there is no wallet yet" })]
  const problem = encryptionKeyProblem(keys.map(({ answer }) => answer))
  // Where no key opens, the locked ones have that one reason.
  const faulty = keys.filter(({ answer }) => problem === undefined || answer === "broken")
  const reasons = Map.groupBy(
    faulty.flatMap(({ reason }) => reason ?? []),
    (reason) => reason
  )
  const single = [...reasons].slice(0, REASONS_MAX).map(([reason, all]) =>
    report.fail({
      what,
      detail: `${all.length} of ${keys.length} wallets ${whose}: the key ${reason}`,
      remedy: "Nothing of these wallets can be paid: correct that, and restart the executor."
    })
  )
  if (problem !== undefined) return [report.fail(problem), ...single]
  return single.length > 0 ? single : [report.ok({ what, detail: `${openable(keys.length, whose)} can be opened` })]
}

const noEncryptionKey: Finding = report.ok({
  what: "wallet keys",
  detail: "not looked at: AGENT_ENCRYPTION_KEY is not set, and the sandbox has its own"
})

/** For the start: a key that opens none of so many wallets opens none of the others; one that opens is enough. */
const WALLETS = 20

/** `AGENT_ENCRYPTION_KEY` opens no wallet of the database: every order would be held. The executor must not start. */
export class WrongKey extends Schema.TaggedError<WrongKey>()("WrongKey", { message: Schema.String }) {
  /** `EX_CONFIG`: pm2 does not restart what the same settings would only stop again. */
  override readonly [Runtime.errorExitCode] = 78
}

/** Refuses the start where `AGENT_ENCRYPTION_KEY` opens none of some wallets. */
export const checkEncryptionKey = Effect.gen(function* () {
  const sample = yield* (yield* TaskRepo).sampleWallets(WALLETS)
  const answers: Array<KeyAnswer> = []
  for (const wallet of sample) {
    const { answer } = yield* keyAnswer(wallet)
    if (answer === "opens") return
    answers.push(answer)
  }
  const problem = encryptionKeyProblem(answers)
  if (problem !== undefined) return yield* new WrongKey({ message: problemMessage(problem) })
})
