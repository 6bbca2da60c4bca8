import { type Context, Effect, Option } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { ChainClient } from "../../src/chain/ChainClient.ts"
import { KeyCustody } from "../../src/chain/KeyCustody.ts"
import { Settings } from "../../src/config/Settings.ts"
import { DecisionRepo } from "../../src/ledger/DecisionRepo.ts"
import { TaskRepo } from "../../src/ledger/TaskRepo.ts"
import { WatchRepo } from "../../src/ledger/WatchRepo.ts"
import { Minter } from "../../src/mint/Minter.ts"
import * as Adopt from "../../src/operator/adopt.ts"
import * as Cancel from "../../src/operator/cancel.ts"
import * as Create from "../../src/operator/create.ts"
import * as Explain from "../../src/operator/explain.ts"
import * as Pause from "../../src/operator/pause.ts"
import * as Reconcile from "../../src/operator/reconcile.ts"
import * as Refund from "../../src/operator/refund.ts"
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
  watch: orNone(WatchRepo),
  custody: orNone(KeyCustody),
  minter: orNone(Minter),
  random: orNone(SecureRandom.SecureRandom)
})

const onGiven =
  <A extends ReadonlyArray<unknown>, B, E, R>(command: (services: Services, ...args: A) => Effect.Effect<B, E, R>) =>
  (...args: A) =>
    Effect.flatMap(given, (services) => command(services, ...args))

export const adopt = onGiven(Adopt.adopt)
export const cancel = onGiven(Cancel.cancel)
export const create = onGiven(Create.create)
export const explain = onGiven(Explain.explain)
export const pause = onGiven(Pause.pause)
export const reconcile = onGiven(Reconcile.reconcile)
export const refund = onGiven(Refund.refund)
export const resolve = onGiven(Resolve.resolve)
export const resolveWallet = onGiven(ResolveWallet.resolveWallet)
export const resume = onGiven(Pause.resume)
export const retry = onGiven(Retry.retry)
export const withdraw = onGiven(Withdraw.withdraw)
