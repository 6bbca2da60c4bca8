import { Effect, Option, Result, Schema } from "effect"
import { SqlClient } from "effect/sql"
import type { SettingsShape } from "../config/Settings.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { readWallet, walletColumns, WalletFields } from "../ledger/sql/rows.ts"
import { type Finding, sayerOf } from "./Finding.ts"

const say = sayerOf("keys")

/** About a millisecond each; a wrong `AGENT_ENCRYPTION_KEY` shows in the first one. */
const WALLETS_MAX = 200

/** Where there is no open order, some wallets still tell whether the key is the right one. */
const WALLETS_WITHOUT_ORDER = 5

/** A row that is broken has a reason of its own: more than these are not told one by one. */
const REASONS_MAX = 3

const Rows = Schema.Array(Schema.Struct({ ...WalletFields, is_open: Schema.Boolean }))

/** Whether the keys of wallets that work waits for can be opened. Nothing is signed. */
export const keys = Effect.fnUntraced(function* (settings: SettingsShape) {
  if (Option.isNone(settings.agentEncryptionKey)) return [noEncryptionKey]
  const sql = yield* SqlClient.SqlClient
  const custody = yield* KeyCustody
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
  const reasons = yield* Effect.forEach(sample, (row) => {
    const wallet = readWallet(row.wallet_id ?? "", row)
    if (Result.isFailure(wallet)) return Effect.succeed(wallet.failure)
    const { agentAddress } = wallet.success
    return custody.check(wallet.success).pipe(
      Effect.as(undefined),
      Effect.catch(({ message }) => Effect.succeed(message.replace(`the key of agent wallet ${agentAddress} `, "")))
    )
  })
  const whose = open.length > 0 ? "with open orders" : "(no order is open)"
  return judge(
    whose,
    reasons.map((reason) => reason ?? "")
  )
})

const openable = (wallets: number, whose: string): string =>
  wallets === 1 ? `that of the one wallet ${whose}` : `those of all ${wallets} wallets ${whose}`

/** `reasons`: of each wallet, why its key cannot be used; empty where it can. */
const judge = (whose: string, reasons: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  const what = "wallet keys"
  if (reasons.length === 0) return [say.ok({ what, detail: "there is no wallet yet" })]
  const broken = Map.groupBy(
    reasons.filter((reason) => reason !== ""),
    (reason) => reason
  )
  if (broken.size === 0) return [say.ok({ what, detail: `${openable(reasons.length, whose)} can be opened` })]
  const told = [...broken].slice(0, REASONS_MAX)
  return told.map(([reason, all]) =>
    say.fail({
      what,
      detail: `${all.length} of ${reasons.length} wallets ${whose}: the key ${reason}`,
      remedy: "Nothing of these wallets can be paid: correct that, and restart the executor."
    })
  )
}

const noEncryptionKey: Finding = say.ok({
  what: "wallet keys",
  detail: "not looked at: AGENT_ENCRYPTION_KEY is not set, and the sandbox has its own"
})
