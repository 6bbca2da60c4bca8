import { Duration, Effect, Option, Result, Schema } from "effect"
import type { SettingsShape } from "../config/Settings.ts"
import { version as ours } from "../ops/process.ts"
import { attempt } from "./attempt.ts"
import { sayerOf } from "./Finding.ts"
import { get, type HttpAnswer } from "./http.ts"

const say = sayerOf("executor")

/** The executor is on this machine or beside it. */
const LIMIT = Duration.seconds(2)

/** Whether an executor runs where `OPS_HOST` and `OPS_PORT` say, and which. */
export const examineExecutor = (settings: SettingsShape) => {
  const { opsPort } = settings
  if (opsPort === 0) {
    const detail = "OPS_PORT=0: the system chose its port, so it cannot be asked from here"
    return Effect.succeed([say.ok({ what: "running", detail })])
  }
  const look = { say, what: "running", remedy: "Start it again, and look at its log." }
  return attempt(look, ask(settings, `http://${reachableAt(settings.opsHost)}:${opsPort}`))
}

/** An address that means "all of mine" to a listener means nothing to a caller. */
const reachableAt = (opsHost: string): string => {
  if (opsHost === "0.0.0.0") return "127.0.0.1"
  if (opsHost === "::") return "[::1]"
  return opsHost.includes(":") ? `[${opsHost}]` : opsHost
}

const ask = Effect.fnUntraced(function* (settings: SettingsShape, url: string) {
  const [told, health] = yield* Effect.all(
    [Effect.result(get(`${url}/version`, LIMIT)), Effect.option(get(`${url}/healthz`, LIMIT))],
    { concurrency: "unbounded" }
  )
  if (Result.isSuccess(told)) {
    const running = runs(settings, url, told.success)
    const token = running.level === "ok" ? yield* lookAtToken(settings, url) : []
    return [running, ...healthOf(health), ...token]
  }
  const detail = `none answers at ${url} (${told.failure.message})`
  return [say.warn({ what: "running", detail, remedy: "Start it: pm2 start ecosystem.config.cjs (or npm start)." })]
})

/** What `/version` tells. A longer text is none of ours, and is not shown. */
const Word = Schema.String.check(Schema.isMaxLength(40))
const Version = Schema.fromJsonString(Schema.Struct({ version: Word, network: Word }))

const runs = ({ network }: SettingsShape, url: string, answer: HttpAnswer) => {
  const what = "running"
  const theirs = Option.getOrUndefined(Schema.decodeUnknownOption(Version)(answer.body))
  if (answer.status !== 200 || theirs === undefined) {
    const detail = `what answers at ${url} is no executor of this kind (HTTP ${answer.status})`
    return say.warn({ what, detail, remedy: "Give the executor another OPS_PORT, or the other program." })
  }
  if (theirs.network !== network.name) {
    const detail = `the executor at ${url} is on ${theirs.network}, and these settings are for ${network.name}`
    return say.warn({ what, detail, remedy: "Restart it with these settings, or give each of them its own OPS_PORT." })
  }
  if (theirs.version === ours) return say.ok({ what, detail: `v${ours} at ${url}` })
  const detail = `v${theirs.version} runs at ${url}, and this is v${ours}`
  return say.warn({ what, detail, remedy: "Restart it, so that the version that is installed runs." })
}

const healthOf = (health: Option.Option<HttpAnswer>) => {
  if (Option.isNone(health)) return []
  const { status, body, ms } = health.value
  if (status === 200) return [say.ok({ what: "health", detail: `well (${ms} ms)` })]
  const dead = deadLoops(body)
  const detail = `it says that it is not well (HTTP ${status}${dead.length === 0 ? "" : `: ${dead.join(", ")} stands still`})`
  return [
    say.warn({ what: "health", detail, remedy: "Look at its log, and at /readyz: it names what does not answer." })
  ]
}

/** The loops that `/healthz` says do not go round. */
const Health = Schema.fromJsonString(
  Schema.Struct({ loops: Schema.Array(Schema.Struct({ name: Word, alive: Schema.Boolean })) })
)

const deadLoops = (body: string): ReadonlyArray<string> =>
  Option.match(Schema.decodeUnknownOption(Health)(body), {
    onNone: () => [],
    onSome: ({ loops }) => loops.filter(({ alive }) => !alive).map(({ name }) => name)
  })

/** A token that was changed here and not where the executor has it from ends every command and page in a refusal. */
const lookAtToken = Effect.fnUntraced(function* ({ opsToken }: SettingsShape, url: string) {
  const token = Option.getOrUndefined(opsToken)
  const answer = Option.getOrUndefined(yield* Effect.option(get(`${url}/api/pauses`, LIMIT, token)))
  const what = "token"
  if (answer?.status === 401) {
    const detail = token === undefined ? "the executor asks for one, and OPS_TOKEN is not set here" : NOT_TAKEN
    return [say.warn({ what, detail, remedy: SAME_TOKEN })]
  }
  if (answer?.status === 403) {
    const detail = "the executor has none: page, API and commands are off"
    return [say.warn({ what, detail, remedy: "Set OPS_TOKEN (openssl rand -hex 32), and restart it." })]
  }
  return answer?.status === 200 && token !== undefined ? [say.ok({ what, detail: "OPS_TOKEN is taken" })] : []
})

const NOT_TAKEN = "the executor does not take the OPS_TOKEN of these settings"

const SAME_TOKEN =
  "Set the same one here and there. Under pm2 the executor may have an old one of its first start: pm2 delete " +
  "ai-mint-executor, then env -u OPS_TOKEN pm2 start ecosystem.config.cjs."
