import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { examine } from "../../src/checks/doctor.ts"
import { doctorWords } from "../../src/cli/words/doctor.ts"
import { migrate } from "../../src/ledger/migrate.ts"
import { bindToChain } from "../../src/ledger/NetworkBinding.ts"
import { base } from "../../src/config/Network.ts"
import { fakeChain } from "../chain/fakeChain.ts"
import { dead, fetchOf, healthy, http } from "../chain/fakeNodes.ts"
import { disk, secrets } from "../config/fixtures.ts"
import { answers, scriptedServer } from "../mint/scriptedServer.ts"
import { clientAt } from "../support/LedgerSql.ts"
import { order, person } from "../support/orders.ts"
import * as Postgres from "../support/Postgres.ts"
import { about, troubles } from "./given.ts"

const GOOD = "https://base-mainnet.example.com"
const BAD = "https://rpc.example.org"

const TOKEN = "Tk-5d1f0c9a8b7e6f4a3b2c"

/** The settings of an operator with every secret that there is. */
const full = Effect.fnUntraced(function* (databaseUrl: string) {
  const mintServer = yield* scriptedServer(answers(200))
  const url = new URL(databaseUrl)
  url.password = secrets.databasePassword
  return {
    NETWORK: "base",
    DATABASE_URL: url.toString(),
    BASE_RPC_URL: `${GOOD}/v2/${secrets.rpcKey}, ${BAD}/?apikey=${secrets.queryKey}`,
    SERVER_URL: mintServer.url,
    AGENT_ENCRYPTION_KEY: secrets.encryptionKey,
    AI_AGENT_PRIVATE_KEY: secrets.privateKey,
    OPS_TOKEN: TOKEN,
    // The discard port: nobody listens there.
    OPS_PORT: "9"
  }
})

const diagnose = (env: Record<string, string>, behaviours: Parameters<typeof fetchOf>[0]["behaviours"]) =>
  examine.pipe(
    Effect.provide(disk()),
    Effect.provide(Layer.succeed(FetchHttpClient.Fetch, fetchOf({ behaviours, sent: [] }))),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env))
  )

const EVERY_SECRET = [...Object.values(secrets), encodeURIComponent(secrets.databasePassword), TOKEN]

const holdsSecret = (text: string): ReadonlyArray<string> => EVERY_SECRET.filter((secret) => text.includes(secret))

describe("the doctor", () => {
  it.live("tells all areas in one order, whatever is broken, and no secret of any of them", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.freshDatabase()
      yield* Effect.gen(function* () {
        yield* migrate
        yield* bindToChain({
          chainId: 8453,
          usdc: base.usdc.address,
          genesis: `0x${"01".repeat(32)}`,
          confirmedBlock: 1n
        })
        // Encrypted with another key than the one of the settings.
        yield* order(yield* person("ada"), 1)
      }).pipe(Effect.provide(clientAt(url, 1), { local: true }))
      const env = yield* full(url)
      const echo = http(403, `${secrets.queryKey} and ${secrets.rpcKey} and ${TOKEN} are not welcome`)
      const diagnosis = yield* diagnose(env, { [GOOD]: healthy(fakeChain()), [BAD]: echo })
      const { findings } = diagnosis
      const areas = findings.map(({ area }) => area)
      assert.deepStrictEqual([...new Set(areas)], ["settings", "database", "keys", "chain", "mint server", "executor"])
      const found = troubles(findings).map((trouble) => trouble.join(" "))
      assert.includeMembers(found, ["its chain fail", "wallet keys fail", "RPC 2 warn", "running warn"])
      assert.include(about(findings, "reachable"), "ok ")
      assert.deepStrictEqual(holdsSecret(JSON.stringify(findings)), [])
      assert.deepStrictEqual(holdsSecret(doctorWords(diagnosis).join("\n")), [])
      assert.isTrue(doctorWords(diagnosis).every((line) => line.length <= 100))
    })
  )

  it.live("comes to an end where nothing answers at all", () =>
    Effect.gen(function* () {
      const env = yield* full("postgres://executor@127.0.0.1:1/mint")
      const { findings } = yield* diagnose({ ...env, SERVER_URL: "http://127.0.0.1:1" }, { [GOOD]: dead, [BAD]: dead })
      assert.deepStrictEqual(troubles(findings), [
        ["connects", "fail"],
        ["RPC 1", "fail"],
        ["RPC 2", "fail"],
        ["reachable", "fail"],
        ["running", "warn"]
      ])
      assert.deepStrictEqual(holdsSecret(JSON.stringify(findings)), [])
    })
  )
})
