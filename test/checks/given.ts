import { Duration, Effect, Redacted } from "effect"
import { base } from "../../src/config/Network.ts"
import type { SettingsShape } from "../../src/config/Settings.ts"
import type { Finding, FindingLevel } from "../../src/checks/Finding.ts"
import { defaults } from "../support/settings.ts"

/** Settings of an operator of Base about which there is nothing to say. */
export const sound: SettingsShape = {
  ...defaults,
  network: base,
  databaseUrl: Redacted.make("postgres://executor:hunter22-secret@127.0.0.1:1/mint"),
  rpcUrls: ["https://one.example/v2/first-api-key-1", "https://two.example/v2/second-api-key-2"].map((url) =>
    Redacted.make(url)
  ),
  serverUrl: "http://127.0.0.1:1",
  aiAgentPrivateKey: Redacted.make(`0x${"a1".repeat(32)}` as const),
  // Long, as the clock is a test's in most of these.
  rpcTimeout: Duration.minutes(1)
}

/** `what` and level of each finding that is not well, in their order. */
export const troubles = (findings: ReadonlyArray<Finding>): ReadonlyArray<readonly [string, FindingLevel]> =>
  findings.filter(({ level }) => level !== "ok").map(({ what, level }) => [what, level])

/** The findings about one thing, as one text: `level detail → remedy`. */
export const about = (findings: ReadonlyArray<Finding>, what: string): string =>
  findings
    .filter((finding) => finding.what === what)
    .map(({ level, detail, remedy }) => `${level} ${detail}${remedy === undefined ? "" : ` → ${remedy}`}`)
    .join("\n")

/** The first finding about something. */
export const one = (findings: ReadonlyArray<Finding>, what: string) =>
  Effect.fromNullishOr(findings.find((finding) => finding.what === what))
