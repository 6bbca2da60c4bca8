import { Array as Arr, Effect, Option } from "effect"
import { readContract } from "viem/actions"
import type { Fault } from "../chain/classify.ts"
import type { Endpoint, Question } from "../chain/endpoint.ts"
import { aggregate } from "../chain/multicall.ts"
import { usdcClaims } from "../chain/startChecks.ts"
import { usdcAbi } from "../chain/usdc.ts"
import type { SettingsShape } from "../config/Settings.ts"
import { attempt } from "./attempt.ts"
import { sayerOf } from "./Finding.ts"
import { askNode } from "./probe.ts"

const say = sayerOf("chain")

/** Whether USDC is what payments are signed for, and whether it moves at all. */
export const examineUsdc = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const remedy = `Set ${settings.network.rpcKey} to a node that answers, then look again.`
  const looks = [
    attempt({ say, what: "USDC", remedy }, Effect.mapError(claims(settings, endpoint), asError)),
    attempt({ say, what: "USDC paused", remedy }, Effect.mapError(pause(settings, endpoint), asError))
  ]
  return (yield* Effect.all(looks, { concurrency: "unbounded" })).flat()
})

const asError = ({ reason, detail }: Fault) => ({ message: `${reason}, ${detail}` })

const claims = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  const { network } = settings
  const { fields, reads } = usdcClaims(network)
  const { answers } = yield* askNode(settings, endpoint, aggregate<string>(reads))
  const wrong = Arr.zip(fields, answers).filter(([{ expected }, answer]) => !Option.contains(answer, expected))
  const at = network.usdc.address
  if (wrong.length === 0) return [say.ok({ what: "USDC", detail: `${at} is what payments are signed for` })]
  const said = wrong.map(([{ field, expected }, answer]) => {
    const found = Option.match(answer, { onNone: () => "is not told", onSome: (text) => `is "${text}"` })
    return `its ${field} ${found}, not "${expected}"`
  })
  const remedy = `Every signature would be invalid there. Set ${network.rpcKey} to a node of ${network.name}.`
  return [say.fail({ what: "USDC", detail: `${at}: ${said.join("; ")}`, remedy })]
})

/** Circle can stop all transfers (`Pausable` of FiatToken). */
const pause = Effect.fnUntraced(function* (settings: SettingsShape, endpoint: Endpoint) {
  if (!(yield* askNode(settings, endpoint, isPaused(settings)))) return []
  return [
    say.fail({
      what: "USDC paused",
      detail: "USDC is paused: nothing can be paid",
      remedy: 'Only Circle can end that (status.circle.com). Until then: ai-mint pause --why "USDC is paused".'
    })
  ]
})

const isPaused =
  ({ network }: SettingsShape): Question<boolean> =>
  (node) =>
    readContract(node, { address: network.usdc.address, abi: usdcAbi, functionName: "paused" })
