import { type Context, Effect, Option } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import { SecretBox } from "../../src/chain/SecretBox.ts"
import { Settings } from "../../src/config/Settings.ts"
import type { Usdc } from "../../src/domain/Usdc.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { KeyRepo } from "../../src/ledger/KeyRepo.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { WebhookRepo } from "../../src/ledger/WebhookRepo.ts"
import { Minter } from "../../src/mint/Minter.ts"
import * as Adopt from "../../src/operator/adopt.ts"
import * as Cancel from "../../src/operator/cancel.ts"
import * as Create from "../../src/operator/create.ts"
import * as Explain from "../../src/operator/explain.ts"
import * as Limits from "../../src/operator/limits.ts"
import * as Journal from "../../src/operator/journal.ts"
import * as Pause from "../../src/operator/pause.ts"
import * as Prove from "../../src/operator/prove.ts"
import { makeRecentBalances } from "../../src/operator/recentBalances.ts"
import * as Reconcile from "../../src/operator/reconcile.ts"
import * as Refund from "../../src/operator/refund.ts"
import type * as Request from "../../src/operator/requests.ts"
import * as Resolve from "../../src/operator/resolve.ts"
import * as ResolveWallet from "../../src/operator/resolveWallet.ts"
import * as Retry from "../../src/operator/retry.ts"
import type { Services } from "../../src/operator/services.ts"
import * as Withdraw from "../../src/operator/withdraw.ts"

// What an operator asks and decides, with the services that a test has by then: it may put another in the place of one.

/** Of a test that asks nothing of it. */
const orNone = <I, S>(service: Context.Key<I, S>) =>
  Effect.map(Effect.serviceOption(service), (found) => Option.getOrUndefined(found) as S)

const given = Effect.all({
  settings: Settings,
  tasks: TaskRepo,
  decisions: DecisionRepo,
  chain: ChainClient,
  balances: Effect.flatMap(ChainClient, makeRecentBalances),
  watch: orNone(WatchRepo),
  keys: orNone(KeyRepo),
  webhooks: orNone(WebhookRepo),
  box: orNone(SecretBox),
  custody: orNone(KeyCustody),
  minter: orNone(Minter),
  random: orNone(SecureRandom.SecureRandom)
})

/** Any command, with the services that the test has. */
export const onGiven =
  <A extends ReadonlyArray<unknown>, B, E, R>(command: (services: Services, ...args: A) => Effect.Effect<B, E, R>) =>
  (...args: A) =>
    Effect.flatMap(given, (services) => command(services, ...args))

export const adopt = (task: string, options: Omit<Request.AdoptBody, "why">, why: string) =>
  onGiven(Adopt.adopt)(task, { ...options, why })
export const cancel = (task: string, why: string) => onGiven(Cancel.cancel)(task, { why })
export const create = onGiven(Create.create)
export const explain = onGiven(Explain.explain)
interface Target {
  readonly token?: string | undefined
  readonly wallet?: string | undefined
}

export const pause = (target: Target, why: string) => onGiven(Pause.pause)({ ...target, why } as Request.PauseBody)
export const journal = onGiven(Journal.journal)
export const prove = onGiven(Prove.prove)
interface LimitTarget {
  readonly token?: string
  readonly user?: string
}

export const limits = onGiven(Limits.limits)()
export const setLimit = (perDay: Usdc, target: LimitTarget, why: string) =>
  onGiven(Limits.setLimit)({ perDay, ...target, why })
export const removeLimit = (target: LimitTarget, why: string) => onGiven(Limits.removeLimit)({ ...target, why })
export const reconcile = onGiven(Reconcile.reconcile)
export const refund = (wallet: string, options: Omit<Request.RefundBody, "why">, why: string) =>
  onGiven(Refund.refund)(wallet, { ...options, why })
export const resolve = (task: string, options: Omit<Request.ResolveBody, "why">, why: string) =>
  onGiven(Resolve.resolve)(task, { ...options, why })
export const resolveWallet = (wallet: string, why: string) => onGiven(ResolveWallet.resolveWallet)(wallet, { why })
export const resume = (target: Target, why: string) => onGiven(Pause.resume)({ ...target, why } as Request.PauseBody)
export const retry = (task: string, why: string) => onGiven(Retry.retry)(task, { why })
export const withdraw = (wallet: string, refundId: string, why: string) =>
  onGiven(Withdraw.withdraw)(wallet, { refund: refundId, why })
