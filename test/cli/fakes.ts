import { Effect, Layer } from "effect"
import { type Executor, ExecutorClient, type Terms } from "../../src/cli/client/ExecutorClient.ts"
import type { Io } from "../../src/cli/io.ts"
import { CommandLayers } from "../../src/cli/layers.ts"
import { Maintenance } from "../../src/cli/Maintenance.ts"
import { run } from "../../src/cli/run.ts"
import { Operator, Refused, Unanswered } from "../../src/operator/Operator.ts"

/** What was asked of the executor: `tasks.cancel` and with what. */
export interface Question {
  readonly about: string
  readonly request: unknown
}

/** Answers of the executor by question; what is not there fails as if nobody were there. */
export type Answers = Readonly<Record<string, unknown>>

const away = new Unanswered({ reason: "Away", message: "nobody is there" })

/** An executor that notes what it is asked and answers what it is given: a function is asked with the request. */
const makeExecutor = (answers: Answers, asked: Array<Question>): Executor => {
  const method = (about: string) => (request?: unknown) =>
    Effect.suspend(() => {
      asked.push({ about, request })
      const answer = answers[about]
      if (answer === undefined) return Effect.fail(away)
      const given: unknown = typeof answer === "function" ? (answer as (request: unknown) => unknown)(request) : answer
      return Effect.isEffect(given) ? given : Effect.succeed(given)
    })
  const group = (name: string) => new Proxy({}, { get: (_, key) => method(`${name}.${String(key)}`) })
  return new Proxy({}, { get: (_, key) => group(String(key)) }) as Executor
}

/** What a command said, and how it ended. */
export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly asked: ReadonlyArray<Question>
  readonly terms: ReadonlyArray<Terms>
}

/** What answers besides the executor: all of it is away, unless it is given. */
type Given = Partial<Maintenance["Service"]> & { readonly direct?: CommandLayers["Service"]["direct"] }

/** `ai-mint` with these arguments, where only what is given here answers. */
export const typed = (
  args: ReadonlyArray<string>,
  answers: Answers = {},
  { direct = Layer.effect(Operator, Effect.fail(away)), ...tools }: Given = {},
  more: Partial<Io["Service"]> = {}
) =>
  Effect.gen(function* () {
    const [stdout, stderr]: [Array<string>, Array<string>] = [[], []]
    const asked: Array<Question> = []
    const terms: Array<Terms> = []
    const io: Io["Service"] = {
      out: (text) => void stdout.push(text),
      document: (part) => void stdout.push(part),
      err: (text) => void stderr.push(text),
      colour: false,
      expectInterruption: () => undefined,
      ...more
    }
    const executor = Layer.succeed(ExecutorClient, {
      ask: (question, given) =>
        Effect.suspend(() => {
          terms.push(given)
          // The fake answers fail as the real client does: with what the failure means.
          return Effect.mapError(question(makeExecutor(answers, asked)), (error: unknown) =>
            error instanceof Unanswered || error instanceof Refused ? error : away
          )
        })
    })
    const maintenance = Maintenance.of({
      examine: Effect.fail(away),
      migrate: () => Effect.fail(away),
      verifyProof: () => Effect.fail(away),
      payOrder: () => Effect.fail(away),
      resetSandbox: Effect.fail(away),
      ...tools
    })
    const code = yield* run(args, { io, layers: CommandLayers.of({ executor, direct }), maintenance })
    return { code, stdout: stdout.join("\n"), stderr: stderr.join("\n"), asked, terms } satisfies Ending as Ending
  })

/** An operator without an executor, who answers this to whatever is asked. */
export const straight = (answer: unknown): CommandLayers["Service"]["direct"] =>
  Layer.succeed(
    Operator,
    new Proxy({} as Operator["Service"], {
      get: (_, key) =>
        ["status", "pauses", "reconcile"].includes(String(key)) ? Effect.succeed(answer) : () => Effect.succeed(answer)
    })
  )
