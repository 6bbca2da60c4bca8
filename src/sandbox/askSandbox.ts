import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Duration, Effect, Schema } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import { httpClient } from "../ops/fetch.ts"
import { version } from "../ops/process.ts"
import { SandboxApi } from "./SandboxApi.ts"
import { DATA_DIR, findSandbox } from "./sandboxFile.ts"

/**
 * There is no answer of the running sandbox, or not the one that was asked for. `NotRunning`: no sandbox runs.
 * `Refused`: it understood, or understood enough, and did nothing. `Unclear`: something may have been done.
 */
export class SandboxUnanswered extends Schema.TaggedError<SandboxUnanswered>()("SandboxUnanswered", {
  reason: Schema.Literals(["NotRunning", "Refused", "Unclear"]),
  message: Schema.String
}) {}

/** How to ask, and what to tell the person who asked when it goes wrong. */
export interface SandboxRequest {
  readonly dataDir?: string
  /** What is asked, for the messages: `/sandbox/orders`. */
  readonly path?: string
  /** Default: two blocks at most, one for a payment and, on a busy machine, one to wait for. */
  readonly within?: Duration.Input & string
  /** What no answer in time means, behind the time; and what an answer that cannot be read means, before the URL. */
  readonly late?: (url: string) => string
  readonly unreadable?: string
}

export type SandboxClient = HttpApiClient.ForApi<typeof SandboxApi>

export type AskError = Effect.Error<ReturnType<SandboxClient["orders"]["place"] | SandboxClient["faults"]["set"]>>

/** Puts a question to the sandbox that runs on `dataDir`. */
export const askSandbox = Effect.fn("askSandbox")(function* <A>(
  { dataDir = DATA_DIR, path = "", within = "30 seconds", late = () => "", unreadable = "" }: SandboxRequest,
  question: (client: SandboxClient) => Effect.Effect<A, AskError>
) {
  const { serverUrl } = yield* findSandbox(dataDir).pipe(
    Effect.mapError(({ message }) => new SandboxUnanswered({ reason: "NotRunning", message }))
  )
  const url = `${serverUrl}${path}`
  const client = yield* Effect.provide(HttpApiClient.make(SandboxApi, { baseUrl: serverUrl }), httpClient)
  const answer = yield* question(client).pipe(
    Effect.mapError((error) => unanswered(error, url, unreadable)),
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.fail(unclear(`No answer in ${within}${late(url)}`))
    })
  )
  return { answer, url }
})

const unclear = (message: string) => new SandboxUnanswered({ reason: "Unclear", message })

const refused = (words: string, problems: ReadonlyArray<string> = []) =>
  new SandboxUnanswered({
    reason: "Refused",
    message: [`The sandbox refused: ${words}`, ...problems].join("\n  - ")
  })

const unanswered = (error: AskError, url: string, unreadable: string): SandboxUnanswered => {
  if (error._tag === "Refused") return refused(error.error, error.problems)
  if (error._tag === "SchemaError") return unclear(`${unreadable}${url} answers in a way unknown here.`)
  if (!("response" in error.reason))
    return unclear(`The sandbox does not answer at ${url}. Is it still starting, or stuck? Its log says more.`)
  const { status } = error.reason.response
  return status < 300 ? unclear(`${unreadable}${url} answers in a way unknown here.`) : refused(`HTTP status ${status}`)
}

export const dataDirFlag = Flag.String("data-dir").pipe(
  Flag.withDefault(DATA_DIR),
  Flag.withDescription(`Where the sandbox keeps its data. Default: ${DATA_DIR}`)
)

/** The words alone are printed, and the command ends with code 1. */
export const userError = ({ message }: { readonly message: string }) => new CliError.UserError({ cause: message })

/** The whole of a process that is one command. */
export const runCommand = <Name extends string, Input, Context, E>(
  command: Command.Command<Name, Input, Context, E, NodeServices.NodeServices>
): void =>
  command.pipe(
    Command.run({ version }),
    Effect.provide([NodeServices.layer, CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version] })]),
    NodeRuntime.runMain
  )
