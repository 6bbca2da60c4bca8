import { Duration, Redacted } from "effect"
import { getAddress } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import type { SettingsShape } from "../config/Settings.ts"
import { words } from "../domain/time.ts"
import { hostOf } from "./redact.ts"

/** Columns between the walls of the box. */
const BOX_COLUMNS = 58

/** An icon takes two columns, and no other character of the title more than one. */
const columnsOf = (title: string): number => [...title].length + [...title.matchAll(/\p{Emoji_Presentation}/gu)].length

/** As in v1.1. */
const box = (title: string): ReadonlyArray<string> => {
  const room = Math.max(BOX_COLUMNS, columnsOf(title) + 2)
  const left = Math.floor((room - columnsOf(title)) / 2)
  const right = room - columnsOf(title) - left
  const bar = "═".repeat(room)
  return [`╔${bar}╗`, `║${" ".repeat(left)}${title}${" ".repeat(right)}║`, `╚${bar}╝`]
}

/** `5s`, `0.5s`: as v1.1 shows its intervals. */
const inSeconds = (duration: Duration.Duration): string => `${Duration.toMillis(duration) / 1000}s`

const account = ({ aiAgentPrivateKey: key }: SettingsShape): string =>
  key === undefined ? "none (refunds are off)" : privateKeyToAddress(Redacted.value(key))

const hostsOf = (urls: ReadonlyArray<Redacted.Redacted>): ReadonlyArray<string> =>
  urls.map((url, index) => `      ${index + 1}. ${hostOf(Redacted.value(url))}`)

/** The first lines of the log: accounts, chain, endpoints and intervals. Holds no secret. */
export const bannerLines = (settings: SettingsShape, build: { readonly version: string }): ReadonlyArray<string> => {
  const sandbox = "the sandbox's own"
  const endpoints = hostsOf(settings.rpcUrls)
  const webSockets = hostsOf(settings.wsUrls)
  return [
    ...box(`🤖 AI Mint Executor v${build.version} Initialized`),
    "🔧 Configuration:",
    `   Mint Interval: ${inSeconds(settings.mintInterval)}`,
    `   Check Interval: ${inSeconds(settings.checkInterval)}`,
    `   Payment Timeout: ${words(Duration.toMillis(settings.paymentTimeout))}`,
    `   Network: ${settings.network.name} (chain ${settings.network.chainId})`,
    `   Server URL: ${settings.serverUrl ?? sandbox}`,
    ...(settings.mintProtocol === "v1" ? ["   Mint Protocol: v1"] : []),
    `   RPC Endpoints: ${endpoints.length === 0 ? sandbox : endpoints.length}`,
    ...endpoints,
    ...(webSockets.length === 0 ? [] : [`   WebSocket Endpoints: ${webSockets.length}`, ...webSockets]),
    `   AI Agent Account: ${account(settings)}`,
    `   USDC: ${getAddress(settings.network.usdc.address)}`,
    `   Max Retry Count: ${settings.maxRetryCount}`
  ]
}
