import { Effect, Option, Redacted } from "effect"
import { formatEther } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { getBalance } from "viem/actions"
import type { Endpoint } from "../chain/endpoint.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { attempt } from "./attempt.ts"
import { sayerOf } from "./Finding.ts"
import { askNode } from "./probe.ts"

const say = sayerOf("chain")

/** Whether the AI Agent Account can pay the gas of a refund. Nothing where there is no such account. */
export const examineGas = (settings: SettingsShape, endpoint: Endpoint) => {
  if (Option.isNone(settings.aiAgentPrivateKey)) return Effect.succeed([])
  const account = privateKeyToAddress(Redacted.value(settings.aiAgentPrivateKey.value))
  const what = "gas account"
  const remedy = `Refunds wait until it has gas money: send some ETH on ${settings.network.name} to it.`
  return attempt(
    { say, what, remedy: "Look again when the node answers." },
    askNode(settings, endpoint, (node) => getBalance(node, { address: account })).pipe(
      Effect.mapError(({ reason, detail }) => ({ message: `${account}: ${reason}, ${detail}` })),
      Effect.map((wei) =>
        wei === 0n
          ? [say.warn({ what, detail: `${account} has no ETH`, remedy })]
          : [say.ok({ what, detail: `${account} has ${formatEther(wei)} ETH` })]
      )
    )
  )
}
