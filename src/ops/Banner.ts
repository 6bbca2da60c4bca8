import { Duration, Option, Redacted } from "effect"
import { getAddress } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import type { SettingsShape } from "../config/Settings.ts"
import { words } from "../domain/time.ts"

/** Host and port only: user, path and query of an RPC URL may be an API key. */
export const hostOf = (url: string): string => URL.parse(url)?.host ?? "unreadable URL"

const inWords = (duration: Duration.Duration): string => words(Duration.toMillis(duration))

const account = (settings: SettingsShape): string =>
  Option.match(settings.aiAgentPrivateKey, {
    onNone: () => "none (refunds are off)",
    onSome: (key) => privateKeyToAddress(Redacted.value(key))
  })

/** What an operator reads first: with which money, on which chain, through whom, and how fast. Holds no secret. */
export const bannerLines = (settings: SettingsShape, build: { readonly version: string }): ReadonlyArray<string> => {
  const sandbox = "the sandbox's own"
  const endpoints = settings.rpcUrls.map((url, index) => `   ${index + 1}. ${hostOf(Redacted.value(url))}`)
  return [
    `🤖 AI Mint Executor v${build.version}`,
    `   Network: ${settings.network.name} (chain ${settings.network.chainId})`,
    `   Server URL: ${Option.getOrElse(settings.serverUrl, () => sandbox)}`,
    ...(settings.mintProtocol === "v1" ? ["   Mint Protocol: v1"] : []),
    `   RPC Endpoints: ${endpoints.length === 0 ? sandbox : endpoints.length}`,
    ...endpoints.map((line) => `   ${line}`),
    `   AI Agent Account: ${account(settings)}`,
    `   USDC: ${getAddress(settings.network.usdc.address)}`,
    `   Mint Interval: ${inWords(settings.mintInterval)}`,
    `   Check Interval: ${inWords(settings.checkInterval)}`,
    `   Payment Timeout: ${inWords(settings.paymentTimeout)}`,
    `   Max Retry Count: ${settings.maxRetryCount}`
  ]
}
