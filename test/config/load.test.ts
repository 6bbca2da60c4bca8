import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Runtime, Schema } from "effect"
import { address } from "../../src/domain/Address.ts"
import { words } from "../../src/domain/time.ts"
import { type Env, fullOnBase, loadFrom, onBase, problemsOf, secrets } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const millis = Duration.toMillis

const AA = address("0x00000000000000000000000000000000000000aa")
const BB = address("0x00000000000000000000000000000000000000bb")

describe("settings that an operator leaves alone", () => {
  test("are those of the local network, with nothing mandatory", function* () {
    const settings = yield* loadFrom({})
    assert.strictEqual(settings.network.name, "local")
    assert.isFalse(settings.production)
    assert.isUndefined(settings.databaseUrl)
    assert.isUndefined(settings.serverUrl)
    assert.isUndefined(settings.agentEncryptionKey)
    assert.deepStrictEqual(settings.rpcUrls, [])
  })

  test("have the public endpoint and the mint server of v1.1 off local", function* () {
    const settings = yield* loadFrom(onBase)
    assert.deepStrictEqual(settings.rpcUrls.map(Redacted.value), ["https://mainnet.base.org"])
    assert.deepStrictEqual(settings.serverUrl, "http://localhost:4021")
  })

  test("have the pace of v1.1", function* () {
    const settings = yield* loadFrom(onBase)
    assert.strictEqual(millis(settings.checkInterval), 10_000)
    assert.strictEqual(millis(settings.mintInterval), 5_000)
    assert.strictEqual(millis(settings.paymentTimeout), 600_000)
    assert.deepStrictEqual([settings.maxBatchSize, settings.maxRetryCount, settings.confirmations], [10, 3, 2])
  })

  test("count as not set when they are empty or blank", function* () {
    const settings = yield* loadFrom({ NETWORK: "", CHECK_INTERVAL: "  ", DATABASE_URL: "", LOG_LEVEL: "\t" })
    assert.deepStrictEqual(settings, yield* loadFrom({}))
  })

  test("log everything in development and less in production", function* () {
    assert.strictEqual((yield* loadFrom({})).logLevel, "Debug")
    assert.strictEqual((yield* loadFrom({ NODE_ENV: "production", NETWORK: "local" })).logLevel, "Info")
  })

  test("log in colour on a terminal and in the format of v1.1 anywhere else", function* () {
    assert.strictEqual((yield* loadFrom({}, { terminal: true })).logFormat, "pretty")
    assert.strictEqual((yield* loadFrom({}, { terminal: false })).logFormat, "text")
    assert.strictEqual((yield* loadFrom({ LOG_FORMAT: "JSON" }, { terminal: true })).logFormat, "json")
  })
})

describe("a duration", () => {
  const examples: ReadonlyArray<readonly [string, number]> = [
    ["10s", 10_000],
    ["10 seconds", 10_000],
    ["1 second", 1_000],
    ["500ms", 500],
    ["1h", 3_600_000],
    ["1.5 minutes", 90_000],
    ["10 MINUTES", 600_000],
    ["2 min", 120_000],
    ["10000", 10_000]
  ]
  test.each(examples)("may be written as %s", function* ([text, ms]) {
    assert.strictEqual(millis((yield* loadFrom({ CHECK_INTERVAL: text })).checkInterval), ms)
  })

  it.effect.each([
    "10 parsecs",
    "-5s",
    "ten seconds",
    "10s 5s",
    "99ms",
    "61 minutes",
    "1e3",
    "Infinity",
    "constructor"
  ])("may not be written as %s", (text) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problemsOf({ CHECK_INTERVAL: text }), [
        "CHECK_INTERVAL: expected a duration from 100 milliseconds to 1 hour, such as `10 seconds`, `10s` or " +
          "`10000` (milliseconds)"
      ])
    })
  )

  it.effect.prop(
    "is read back as it was put in words",
    { ms: Schema.Int.check(Schema.isBetween({ minimum: 1_000, maximum: 2_592_000_000 })) },
    ({ ms }) =>
      Effect.gen(function* () {
        assert.strictEqual(millis((yield* loadFrom({ PAYMENT_TIMEOUT: words(ms) })).paymentTimeout), ms)
      })
  )
})

describe("a list of RPC URLs", () => {
  const urls = (env: Env) => Effect.map(loadFrom({ ...onBase, ...env }), ({ rpcUrls }) => rpcUrls.map(Redacted.value))

  test("keeps its order and does not mind spaces, empty items and repetition", function* () {
    assert.deepStrictEqual(
      yield* urls({ BASE_RPC_URL: " https://a.example ,, http://b.example/x , https://a.example," }),
      ["https://a.example", "http://b.example/x"]
    )
  })

  test("may hold WebSocket URLs beside them, which are kept apart and are secret too", function* () {
    const text = "wss://a.example/key-1,https://b.example,ws://c.example/key-2"
    const settings = yield* loadFrom({ ...onBase, BASE_RPC_URL: text })
    assert.deepStrictEqual(settings.rpcUrls.map(Redacted.value), ["https://b.example"])
    assert.deepStrictEqual(settings.wsUrls.map(Redacted.value), ["wss://a.example/key-1", "ws://c.example/key-2"])
    assert.notMatch(String(settings.wsUrls), /key-/)
  })

  test("needs one that can be asked: those of WebSockets only announce blocks", function* () {
    const [problem] = yield* problemsOf({ ...onBase, BASE_RPC_URL: "wss://a.example,ws://b.example" })
    assert.match(
      problem ?? "",
      /that start with http:\/\/ or https:\/\/ \(at least one\), or with ws:\/\/ or wss:\/\/$/
    )
  })

  test("is that of the chosen network only, and not of the others", function* () {
    assert.deepStrictEqual(yield* urls({ BASE_SEPOLIA_RPC_URL: "nonsense", LOCAL_RPC_URL: "http://x.example" }), [
      "https://mainnet.base.org"
    ])
  })

  it.effect.each(["ws://a.example", "https://a.example,ftp://b.example", "localhost:8545", ",", "https://"])(
    "may not be %s",
    (text) =>
      Effect.gen(function* () {
        const [problem, ...others] = yield* problemsOf({ ...onBase, BASE_RPC_URL: text })
        assert.match(problem ?? "", /^BASE_RPC_URL: expected 1 to 10 URLs/)
        assert.deepStrictEqual(others, [])
      })
  )
})

describe("the other values", () => {
  test("are read in every form that people write them in", function* () {
    const settings = yield* loadFrom({
      ...onBase,
      SERVER_URL: "https://mint.example.com/base/ ",
      AI_AGENT_PRIVATE_KEY: `0x${secrets.privateKey.toUpperCase()}`,
      AGENT_ENCRYPTION_KEY: secrets.encryptionKey.toUpperCase(),
      MINT_PAY_TO: "0x00000000000000000000000000000000000000AA, 0x00000000000000000000000000000000000000aa",
      MINT_PORTIONS: "0x00000000000000000000000000000000000000AA:1000000000000000000",
      MINT_STOCK: `${AA}:0x00000000000000000000000000000000000000bB,${AA}:${BB}, ${BB}:${AA}`,
      DATABASE_TIMEZONE: "Asia/Kolkata",
      DATABASE_SSL_VERIFY: "No",
      LOG_LEVEL: "silent"
    })
    assert.deepStrictEqual(settings.serverUrl, "https://mint.example.com/base")
    assert.strictEqual(Redacted.value(settings.aiAgentPrivateKey ?? assert.fail()), `0x${secrets.privateKey}`)
    assert.strictEqual(Redacted.value(settings.agentEncryptionKey ?? assert.fail()), secrets.encryptionKey)
    assert.deepStrictEqual(settings.mintPayTo, [address("0x00000000000000000000000000000000000000aa")])
    assert.deepStrictEqual(settings.mintPortions, new Map([[AA, 10n ** 18n]]))
    assert.deepStrictEqual(
      settings.mintStock,
      new Map([
        [AA, [BB]],
        [BB, [AA]]
      ])
    )
    assert.deepStrictEqual(settings.databaseTimezone, "Asia/Kolkata")
    assert.isFalse(settings.databaseSslVerify)
    assert.strictEqual(settings.logLevel, "None")
  })

  it.effect.each(["postgresql://u@h/d", "postgres://u:p%40ss@h:5432/d?sslmode=require", "postgres:///d?host=/run/pg"])(
    "may be the database %s",
    (url) =>
      Effect.gen(function* () {
        const { databaseUrl } = yield* loadFrom({ DATABASE_URL: url })
        assert.strictEqual(Redacted.value(databaseUrl ?? assert.fail()), url)
      })
  )

  const refused: ReadonlyArray<readonly [string, string]> = [
    ["NETWORK", "baseSepolia"],
    ["DATABASE_URL", "mysql://u:p@h/d"],
    ["DATABASE_URL", "postgres://u:p#ss@h/d"],
    ["DATABASE_URL", "postgres://u:12/3@h/d"],
    ["DATABASE_URL", "postgres://u:100%@h/d"],
    ["DATABASE_URL", "postgres://u:p@h/d?sslmode=no-verify"],
    ["SERVER_URL", "https://user:pass@mint.example.com"],
    ["SERVER_URL", "https://mint.example.com/?a=b"],
    ["SERVER_URL", "mint.example.com"],
    ["MINT_PROTOCOL", "v1.1"],
    ["AI_AGENT_PRIVATE_KEY", "0x1234"],
    ["AI_AGENT_PRIVATE_KEY", "0".repeat(64)],
    ["AI_AGENT_PRIVATE_KEY", "f".repeat(64)],
    ["AGENT_ENCRYPTION_KEY", `0x${"a".repeat(64)}`],
    ["MINT_PAY_TO", "0x00000000000000000000000000000000000000aa, vitalik.eth"],
    ["MINT_PORTIONS", `${AA}:0`],
    ["MINT_PORTIONS", `${AA}:1.5`],
    ["MINT_PORTIONS", `${AA}:${2n ** 256n}`],
    ["MINT_PORTIONS", `${AA}:1,${AA}:2`],
    ["MINT_PORTIONS", AA],
    ["MINT_STOCK", `${AA}:`],
    ["MINT_STOCK", `${AA}:${BB}:${BB}`],
    ["MINT_STOCK", `${AA}:vitalik.eth`],
    ["DATABASE_TIMEZONE", "Mars/Olympus"],
    ["DATABASE_TIMEZONE", "+08:00"],
    ["DATABASE_SSL_VERIFY", "maybe"],
    ["DATABASE_SSL_VERIFY", "constructor"],
    ["MAX_BATCH_SIZE", "0"],
    ["MAX_BATCH_SIZE", "2.5"],
    ["MAX_RETRY_COUNT", "-1"],
    ["CONFIRMATIONS", "101"],
    ["AUTHORIZATION_WINDOW", "9s"],
    ["LOG_LEVEL", "verbose"],
    ["LOG_FORMAT", "toString"]
  ]
  test.each(refused)("may not be %s=%s, and the message names the key and not the value", function* ([key, value]) {
    const [problem, ...others] = yield* problemsOf({ [key]: value })
    assert.match(problem ?? "", new RegExp(`^${key}: expected `))
    assert.isFalse((problem ?? "").includes(value) && value.length > 3, problem)
    assert.deepStrictEqual(
      others.filter((other) => !other.includes("is not set")),
      []
    )
  })
})

describe("the mint server's protocol", () => {
  const v1 = { ...onBase, MINT_PROTOCOL: "v1" }

  test("is x402 where nothing is said", function* () {
    assert.strictEqual((yield* loadFrom(onBase)).mintProtocol, "x402")
    assert.strictEqual((yield* loadFrom({ ...onBase, MINT_PROTOCOL: "X402" })).mintProtocol, "x402")
  })

  test("may be that of v1.1, in batches of at most 10", function* () {
    const settings = yield* loadFrom({ ...v1, MAX_BATCH_SIZE: "10" })
    assert.deepStrictEqual([settings.mintProtocol, settings.maxBatchSize], ["v1", 10])
    assert.deepStrictEqual(yield* problemsOf({ ...v1, MAX_BATCH_SIZE: "11" }), [
      "MAX_BATCH_SIZE: expected at most 10 with MINT_PROTOCOL=v1"
    ])
    assert.strictEqual((yield* loadFrom({ ...onBase, MAX_BATCH_SIZE: "11" })).maxBatchSize, 11)
  })

  test("may not be that of v1.1 with the sandbox's own server", function* () {
    assert.deepStrictEqual(yield* problemsOf({ MINT_PROTOCOL: "v1" }), [
      "SERVER_URL is not set: with MINT_PROTOCOL=v1 it must be, as the sandbox's own mint server speaks x402"
    ])
    const mistyped = yield* problemsOf({ MINT_PROTOCOL: "v1", SERVER_URL: "localhost" })
    assert.lengthOf(mistyped, 1)
    const settings = yield* loadFrom({ MINT_PROTOCOL: "v1", SERVER_URL: "http://localhost:4021" })
    assert.strictEqual(settings.network.name, "local")
  })
})

describe("a start that the settings do not allow", () => {
  test("names every bad and every missing key in one message", function* () {
    const error = yield* Effect.flip(
      loadFrom({ NETWORK: "base-sepolia", CHECK_INTERVAL: "soon", MAX_BATCH_SIZE: "many", LOG_LEVEL: "loud" })
    )
    assert.deepStrictEqual(error.message.split("\n"), [
      "The settings do not let the executor start:",
      "  - DATABASE_URL is not set: it may be left out on NETWORK=local only",
      "  - AGENT_ENCRYPTION_KEY is not set: it may be left out on NETWORK=local only",
      "  - CHECK_INTERVAL: expected a duration from 100 milliseconds to 1 hour, such as `10 seconds`, `10s` or " +
        "`10000` (milliseconds)",
      "  - MAX_BATCH_SIZE: expected a whole number from 1 to 100",
      "  - LOG_LEVEL: expected DEBUG, INFO, WARN, ERROR or SILENT",
      "Every setting is described in .env.example."
    ])
  })

  test("has an exit code that tells pm2 not to try again, and no stack", function* () {
    const error = yield* Effect.flip(loadFrom({ NETWORK: "ropsten" }))
    assert.strictEqual(Runtime.getErrorExitCode(error), 78)
    assert.isFalse(Runtime.getErrorReported(error))
  })

  test("is one in production without NETWORK", function* () {
    const { NETWORK: _, ...rest } = onBase
    assert.deepStrictEqual(yield* problemsOf({ ...rest, NODE_ENV: "production" }), [
      "NETWORK is not set: with NODE_ENV=production it must be, even if it is local"
    ])
  })

  test("is one with a mistyped NETWORK, which also says what would be missing then", function* () {
    assert.deepStrictEqual(yield* problemsOf({ NETWORK: "Base" }), [
      "NETWORK: expected local, base-sepolia or base",
      "DATABASE_URL is not set: it may be left out on NETWORK=local only",
      "AGENT_ENCRYPTION_KEY is not set: it may be left out on NETWORK=local only"
    ])
  })

  test("is one with the same token for operators and for v1.1's routes", function* () {
    const token = "a-token-of-more-than-16-chars"
    assert.deepStrictEqual(yield* problemsOf({ OPS_TOKEN: token, V1_TOKEN: token }), [
      "V1_TOKEN is the same as OPS_TOKEN: it would open everything to who may ask for v1.1's routes alone"
    ])
    assert.deepStrictEqual(yield* problemsOf({ V1_TOKEN: "short" }), [
      "V1_TOKEN: expected 16 to 256 characters out of A-Z a-z 0-9 - . _ ~ + / and = at the end, such as openssl rand -hex 32 makes"
    ])
  })

  test("never shows a value, even where it stands under the wrong key", function* () {
    const keys = ["DATABASE_URL", "BASE_RPC_URL", "AI_AGENT_PRIVATE_KEY", "AGENT_ENCRYPTION_KEY", "LOG_LEVEL"]
    for (const secret of Object.values(secrets)) {
      const error = yield* Effect.flip(
        loadFrom({ ...fullOnBase, ...Object.fromEntries(keys.map((key) => [key, `x${secret}`])) })
      )
      assert.notInclude(error.message, secret)
      assert.notInclude(JSON.stringify(error), secret)
    }
  })
})

describe("a secret in a file", () => {
  test("is read without the line end that editors add", function* () {
    const { DATABASE_URL, AGENT_ENCRYPTION_KEY, ...rest } = onBase
    const settings = yield* loadFrom(
      { ...rest, DATABASE_URL_FILE: "/run/db", AGENT_ENCRYPTION_KEY_FILE: "/run/key", BASE_RPC_URL_FILE: "/run/rpc" },
      {
        files: {
          "/run/db": `${DATABASE_URL}\n`,
          "/run/key": `${AGENT_ENCRYPTION_KEY}\r\n`,
          "/run/rpc": "https://a.example/key\nhttps://b.example/key\n"
        }
      }
    )
    assert.strictEqual(Redacted.value(settings.databaseUrl ?? assert.fail()), DATABASE_URL)
    assert.strictEqual(Redacted.value(settings.agentEncryptionKey ?? assert.fail()), AGENT_ENCRYPTION_KEY)
    assert.strictEqual(settings.rpcUrls.length, 2)
  })

  test("may not be set beside the secret itself", function* () {
    const env = { ...onBase, DATABASE_URL_FILE: "/run/db" }
    assert.deepStrictEqual(yield* problemsOf(env, { "/run/db": onBase.DATABASE_URL }), [
      "DATABASE_URL and DATABASE_URL_FILE are both set: keep one"
    ])
  })

  test("must be there, readable and not empty", function* () {
    const env = {
      AI_AGENT_PRIVATE_KEY_FILE: "/run/absent",
      AGENT_ENCRYPTION_KEY_FILE: "/run/locked",
      DATABASE_URL_FILE: "/run/empty"
    }
    assert.deepStrictEqual(yield* problemsOf(env, { "/run/locked": undefined, "/run/empty": "\n" }), [
      "DATABASE_URL_FILE: the file that it names is empty or cannot be read",
      "AI_AGENT_PRIVATE_KEY_FILE: the file that it names is empty or cannot be read",
      "AGENT_ENCRYPTION_KEY_FILE: the file that it names is empty or cannot be read"
    ])
  })

  test("is checked like any other, and its content is not shown", function* () {
    const files = { "/run/key": secrets.privateKey.slice(1) }
    assert.deepStrictEqual(yield* problemsOf({ AI_AGENT_PRIVATE_KEY_FILE: "/run/key" }, files), [
      "AI_AGENT_PRIVATE_KEY_FILE: expected the private key of an account: 64 hex digits, with or without 0x"
    ])
  })
})
