import { Effect } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { ChainClient } from "../chain/ChainClient.ts"
import { KeyCustody } from "../chain/KeyCustody.ts"
import { SecretBox } from "../chain/SecretBox.ts"
import { Settings } from "../config/Settings.ts"
import { DecisionRepo } from "../ledger/DecisionRepo.ts"
import { KeyRepo } from "../ledger/KeyRepo.ts"
import { TaskRepo } from "../ledger/TaskRepo.ts"
import { WatchRepo } from "../ledger/WatchRepo.ts"
import { WebhookRepo } from "../ledger/WebhookRepo.ts"
import { Minter } from "../mint/Minter.ts"
import { makeRecentBalances } from "./recentBalances.ts"

/** What questions and decisions are answered with. They are taken once, when the layer of the operator is built. */
export const services = Effect.all({
  settings: Settings,
  tasks: TaskRepo,
  decisions: DecisionRepo,
  watch: WatchRepo,
  keys: KeyRepo,
  webhooks: WebhookRepo,
  chain: ChainClient,
  balances: Effect.flatMap(ChainClient, makeRecentBalances),
  custody: KeyCustody,
  box: SecretBox,
  minter: Minter,
  random: SecureRandom.SecureRandom
})

export type Services = Effect.Success<typeof services>
