import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, type LogLevel, Option, Redacted, Schema } from "effect"
import * as Log from "../../src/ops/Log.ts"
import { makeRedact, REDACTED } from "../../src/ops/redact.ts"
import { fullOnBase, loadFrom, secrets } from "../config/fixtures.ts"
import { formats, outputOf, settings } from "./fixtures.ts"
import { effects } from "../support/stories.ts"

const test = effects(it)

const levels: ReadonlyArray<LogLevel.LogLevel> = ["Debug", "Info", "Warn", "Error", "None"]

/** Each secret in every spelling that it has in settings, in a URL, in JSON or in a library's error. */
const spellings = (secret: string): ReadonlyArray<string> => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret),
  secret.toUpperCase() === secret.toLowerCase() || /^[0-9a-f]{64}$/.test(secret) ? secret.toUpperCase() : secret,
  `0x${secret}`,
  `https://base-mainnet.example.com/v2/${secret}/`,
  `postgres://executor:${encodeURIComponent(secret)}@db.example.com:5432/mint`
]

class DriverError extends Schema.TaggedError<DriverError>()("DriverError", {
  url: Schema.String,
  options: Schema.Unknown
}) {
  override get message(): string {
    return `cannot reach ${this.url}`
  }
}

const numbersOf = (secret: string) => (/^[0-9a-f]{64}$/.test(secret) ? [BigInt(`0x${secret}`)] : [])

/** Everywhere that a secret has been known to slip into a log. */
const plant = (secret: string) => {
  const failure = new DriverError({ url: secret, options: { password: secret, list: [secret] } })
  const nested = { a: [{ b: new Map([[secret, new Set([secret])]]), c: Option.some(secret) }], n: numbersOf(secret) }
  const wrapped = new Error("outer", { cause: new AggregateError([new Error(secret)], secret, { cause: secret }) })
  return Effect.gen(function* () {
    for (const say of [Log.startup, Log.debug, Log.info, Log.success, Log.mint, Log.warn, Log.error]) {
      yield* say(`before ${secret} after`)
      yield* say(["block", `   ${secret}`], { task: secret, [secret]: 1, nested, url: URL.parse(secret) })
      for (const cause of [failure, wrapped, Cause.die(wrapped), Cause.die(secret), { secret }, secret]) {
        yield* say("failed", { cause, also: cause })
      }
    }
    yield* Effect.logError(secret, nested, failure, Cause.fail(nested))
    yield* Effect.logWarning(Cause.combine(Cause.fail(wrapped), Cause.die(failure))).pipe(Effect.withLogSpan(secret))
    yield* Effect.logInfo("x").pipe(Effect.annotateLogs({ deep: { deeper: { deepest: secret } } }))
  })
}

describe("a secret of the settings", () => {
  test.each(Object.entries(secrets))("is in no line of any format at any level: %s", function* ([, secret]) {
    const known = yield* loadFrom(fullOnBase)
    for (const logFormat of formats) {
      for (const logLevel of levels) {
        for (const spelling of spellings(secret)) {
          const output = yield* outputOf(plant(spelling), { ...known, logFormat, logLevel }, true)
          assert.include(output, REDACTED)
          for (const form of [secret, encodeURIComponent(secret), ...numbersOf(secret).map(String)]) {
            assert.notInclude(output.toLowerCase(), form.toLowerCase())
          }
        }
      }
    }
  })

  test("is taken out from between any other text", function* () {
    const redact = makeRedact(yield* loadFrom(fullOnBase))
    for (const secret of Object.values(secrets)) {
      assert.strictEqual(redact(`a${secret}b ${secret}${secret}`), `a${REDACTED}b ${REDACTED}${REDACTED}`)
    }
  })

  test("is taken out where a provider has the key for a user name, also from an HTTP header", function* () {
    const key = secrets.rpcKey
    const redact = makeRedact(yield* loadFrom({ ...fullOnBase, BASE_RPC_URL: `https://${key}@rpc.example.org` }))
    const header = Buffer.from(`${key}:`).toString("base64")
    assert.strictEqual(redact(`${key} Basic ${header}`), `${REDACTED} Basic ${REDACTED}`)
  })

  test("is taken out where it stands in a WebSocket URL", function* () {
    const known = yield* loadFrom({
      ...fullOnBase,
      BASE_RPC_URL: `https://a.example,wss://b.example/v2/${secrets.rpcKey}`
    })
    assert.strictEqual(makeRedact(known)(`wss://b.example/v2/${secrets.rpcKey}`), `wss://b.example/${REDACTED}`)
  })

  test("is recognised before a long text is cut in the middle of it", function* () {
    const known = yield* loadFrom(fullOnBase)
    for (let offset = 1_940; offset <= 2_000; offset += 3) {
      const output = yield* outputOf(Log.info("x".repeat(offset) + secrets.privateKey), known)
      assert.notInclude(output, secrets.privateKey.slice(0, 8))
    }
  })
})

describe("a Redacted value", () => {
  test.each(formats)("is printed as <redacted> in %s, whatever it holds and wherever it stands", function* (logFormat) {
    const hidden = Redacted.make("unknown to the settings", { label: "API_KEY" })
    const output = yield* outputOf(
      Effect.all(
        [
          Effect.logWarning(hidden, { hidden }, [hidden]),
          Log.warn("fields", { hidden, nested: { hidden: Option.some(hidden) }, cause: Cause.fail(hidden) }),
          Log.warn("failed", { cause: Cause.fail({ hidden }), all: settings })
        ],
        { discard: true }
      ),
      { logFormat }
    )
    assert.notInclude(output, "unknown to the settings")
    assert.notInclude(output, "API_KEY")
    assert.include(output, REDACTED)
  })
})

describe("a field that is called like a secret", () => {
  test("is not printed, whoever made it", function* () {
    const row = {
      id: 7,
      encrypted_private_key: "00ff",
      encryptedPrivateKey: "00ff",
      dbPassword: "00ff",
      apiKey: "00ff"
    }
    const output = yield* outputOf(Log.info("row", { row, token: "0xabc" }), { logFormat: "json" })
    assert.notInclude(output, "00ff")
    assert.include(output, "0xabc")
  })
})

describe("what is no secret", () => {
  test("stays readable: hosts, names of networks, hashes and addresses", function* () {
    const redact = makeRedact(
      yield* loadFrom({ ...fullOnBase, BASE_RPC_URL: "https://lb.example.org/base-sepolia/AbCdEfGh12345678" })
    )
    const line = `base-sepolia db.example.com lb.example.org 0x${"ab".repeat(32)} executor mint`
    assert.strictEqual(redact(line), line)
    assert.strictEqual(
      redact("https://lb.example.org/base-sepolia/AbCdEfGh12345678"),
      `https://lb.example.org/${REDACTED}`
    )
  })

  test("keeps its time and level even where the password is a year", function* () {
    const known = yield* loadFrom({ ...fullOnBase, DATABASE_URL: "postgres://u:1970@h/d" })
    const output = yield* outputOf(Log.info("password 1970"), { ...known, logFormat: "text" })
    assert.strictEqual(output, `[1970-01-01T00:00:00.000Z] [INFO] password ${REDACTED}\n`)
  })
})
