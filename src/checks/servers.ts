import { ByteSize, Clock, Duration, Effect, Option, Redacted, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import { opsUrl, type SettingsShape } from "../config/Settings.ts"
import { version as ours } from "../ops/process.ts"
import { attempt, reportOn } from "./Finding.ts"

/** No answer. The message says why: a system code such as `ECONNREFUSED`, or the limit that ran out. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { message: Schema.String }) {}

export interface HttpAnswer {
  readonly status: number
  /** Empty where it broke off or is larger than `BODY_SIZE_MAX`. */
  readonly body: string
  readonly ms: number
}

/** The answers are small; a server that is not the intended one may send anything. */
const BODY_SIZE_MAX = ByteSize.kibibytes(64)

/** Asks once. Any status is an answer; so is a redirect, which is not followed. */
export const get = Effect.fnUntraced(function* (url: string, limit: Duration.Duration, token?: Redacted.Redacted) {
  const http = yield* HttpClient.HttpClient
  const startMs = yield* Clock.currentTimeMillis
  const request = HttpClientRequest.get(url)
  const asked = token === undefined ? request : HttpClientRequest.bearerToken(request, Redacted.value(token))
  const { status, body } = yield* http.execute(asked).pipe(
    Effect.mapError(({ cause, reason }) => new NoAnswer({ message: causeCode(cause) ?? reason._tag })),
    Effect.flatMap(({ status, text }) => Effect.map(Effect.option(text), (body) => ({ status, body }))),
    Effect.provideService(HttpIncomingMessage.MaxBodySize, BODY_SIZE_MAX),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () => new NoAnswer({ message: `no answer within ${Duration.format(limit)}` })
    })
  )
  const endMs = yield* Clock.currentTimeMillis
  return { status, body: Option.getOrElse(body, () => ""), ms: endMs - startMs } satisfies HttpAnswer
})

const causeCode = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined

const mintServer = reportOn("mint server")
const executor = reportOn("executor")

/** For one small answer. A server that takes longer for it will hardly mint within `MINT_TIMEOUT`. */
const MINT_SERVER_LIMIT = Duration.seconds(5)

/** Whether the mint server is there. Its front page is asked for: nothing is ordered and nothing is paid. */
export const examineMintServer = ({ mintProtocol }: SettingsShape, serverUrl: string) =>
  attempt(
    {
      report: mintServer,
      what: "reachable",
      remedy: `Nothing is minted until ${serverUrl} (SERVER_URL) answers from this machine. No order is lost meanwhile.`
    },
    Effect.map(get(serverUrl, MINT_SERVER_LIMIT), ({ status, ms }) => {
      const detail = `${serverUrl} answers in ${ms} ms with HTTP ${status} (MINT_PROTOCOL=${mintProtocol})`
      if (status < 500) return [mintServer.ok({ what: "reachable", detail })]
      return [mintServer.warn({ what: "reachable", detail, remedy: "Look at the log of the mint server." })]
    })
  )

/** The executor is on this machine or beside it. */
const EXECUTOR_LIMIT = Duration.seconds(2)

/** Whether an executor runs where `OPS_HOST` and `OPS_PORT` say, and which. */
export const examineExecutor = (settings: SettingsShape) => {
  if (settings.opsPort === 0) {
    const detail = "OPS_PORT=0: the system chose its port, so it cannot be asked from here"
    return Effect.succeed([executor.ok({ what: "running", detail })])
  }
  const options = { report: executor, what: "running", remedy: "Start it again, and look at its log." }
  return attempt(options, ask(settings, opsUrl(settings)))
}

const ask = Effect.fnUntraced(function* (settings: SettingsShape, url: string) {
  const [version, health] = yield* Effect.all(
    [Effect.result(get(`${url}/version`, EXECUTOR_LIMIT)), Effect.option(get(`${url}/healthz`, EXECUTOR_LIMIT))],
    { concurrency: "unbounded" }
  )
  if (Result.isSuccess(version)) {
    const running = runs(settings, url, version.success)
    const token = running.level === "ok" ? yield* checkToken(settings, url) : []
    return [running, ...healthOf(health), ...token]
  }
  const detail = `none answers at ${url} (${version.failure.message})`
  return [
    executor.warn({ what: "running", detail, remedy: "Start it: pm2 start ecosystem.config.cjs (or npm start)." })
  ]
})

/** The answer of `/version`. A longer text is not ours, and is not shown. */
const Word = Schema.String.check(Schema.isMaxLength(40))
const Version = Schema.fromJsonString(Schema.Struct({ version: Word, network: Word }))

const runs = ({ network }: SettingsShape, url: string, answer: HttpAnswer) => {
  const what = "running"
  const theirs = Option.getOrUndefined(Schema.decodeUnknownOption(Version)(answer.body))
  if (answer.status !== 200 || theirs === undefined) {
    const detail = `what answers at ${url} is no executor of this kind (HTTP ${answer.status})`
    return executor.warn({ what, detail, remedy: "Give the executor another OPS_PORT, or the other program." })
  }
  if (theirs.network !== network.name) {
    const detail = `the executor at ${url} is on ${theirs.network}, and these settings are for ${network.name}`
    return executor.warn({
      what,
      detail,
      remedy: "Restart it with these settings, or give each of them its own OPS_PORT."
    })
  }
  if (theirs.version === ours) return executor.ok({ what, detail: `v${ours} at ${url}` })
  const detail = `v${theirs.version} runs at ${url}, and this is v${ours}`
  return executor.warn({ what, detail, remedy: "Restart it, so that the version that is installed runs." })
}

const healthOf = (health: Option.Option<HttpAnswer>) => {
  if (Option.isNone(health)) return []
  const { status, body, ms } = health.value
  if (status === 200) return [executor.ok({ what: "health", detail: `well (${ms} ms)` })]
  const dead = deadLoops(body)
  const detail = `it says that it is not well (HTTP ${status}${dead.length === 0 ? "" : `: ${dead.join(", ")} stands still`})`
  return [
    executor.warn({ what: "health", detail, remedy: "Look at its log, and at /readyz: it names what does not answer." })
  ]
}

/** The loops that `/healthz` reports as not alive. */
const Health = Schema.fromJsonString(
  Schema.Struct({ loops: Schema.Array(Schema.Struct({ name: Word, alive: Schema.Boolean })) })
)

const deadLoops = (body: string): ReadonlyArray<string> =>
  Option.match(Schema.decodeUnknownOption(Health)(body), {
    onNone: () => [],
    onSome: ({ loops }) => loops.filter(({ alive }) => !alive).map(({ name }) => name)
  })

/** Where the executor has another token than these settings, every command and the page are refused. */
const checkToken = Effect.fnUntraced(function* ({ opsToken: token }: SettingsShape, url: string) {
  const answer = Option.getOrUndefined(yield* Effect.option(get(`${url}/api/pauses`, EXECUTOR_LIMIT, token)))
  const what = "token"
  if (answer?.status === 401) {
    const detail = token === undefined ? "the executor asks for one, and OPS_TOKEN is not set here" : NOT_TAKEN
    return [executor.warn({ what, detail, remedy: SAME_TOKEN })]
  }
  if (answer?.status === 403) {
    const detail = "the executor has none: page, API and commands are off"
    return [executor.warn({ what, detail, remedy: "Set OPS_TOKEN (openssl rand -hex 32), and restart it." })]
  }
  return answer?.status === 200 && token !== undefined ? [executor.ok({ what, detail: "OPS_TOKEN is taken" })] : []
})

const NOT_TAKEN = "the executor does not take the OPS_TOKEN of these settings"

const SAME_TOKEN =
  "Set the same one here and there. Under pm2 the executor may have an old one of its first start: pm2 delete " +
  "ai-mint-executor, then env -u OPS_TOKEN pm2 start ecosystem.config.cjs."
