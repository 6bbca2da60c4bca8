import { Effect } from "effect"
import type { Executor } from "../../src/cli/client/Executor.ts"
import { Failed } from "../../src/cli/client/Failed.ts"
import type { Io } from "../../src/cli/io.ts"
import type { Tools, Ways } from "../../src/cli/Kit.ts"
import type { Terms } from "../../src/cli/client/ask.ts"
import { run } from "../../src/cli/run.ts"

/** What was asked of the executor: `tasks.cancel` and with what. */
export interface Question {
  readonly about: string
  readonly request: unknown
}

/** Answers of the executor by question; what is not there fails as if nobody were there. */
export type Answers = Readonly<Record<string, unknown>>

const away = new Failed({ reason: "Away", message: "nobody is there" })

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

/** `ai-mint` with these arguments, where only what is given here answers. */
export const typed = (
  args: ReadonlyArray<string>,
  answers: Answers = {},
  ways: Partial<Ways<Failed>> = {},
  more: Partial<Io> = {}
) =>
  Effect.gen(function* () {
    const [stdout, stderr]: [Array<string>, Array<string>] = [[], []]
    const asked: Array<Question> = []
    const terms: Array<Terms> = []
    const io: Io = {
      out: (text) => void stdout.push(text),
      err: (text) => void stderr.push(text),
      colour: false,
      expectInterruption: () => undefined,
      ...more
    }
    const fake: Ways<Failed> = {
      ask: (question, given) => {
        terms.push(given)
        // The fake answers fail as the real way does: with what the failure means.
        return Effect.mapError(question(makeExecutor(answers, asked)), (error) =>
          error instanceof Failed ? error : away
        )
      },
      direct: () => Effect.fail(away),
      examine: Effect.fail(away),
      migrate: () => Effect.fail(away),
      payOrder: () => Effect.fail(away),
      resetSandbox: Effect.fail(away),
      ...ways
    }
    const code = yield* run(args, io, fake)
    return { code, stdout: stdout.join("\n"), stderr: stderr.join("\n"), asked, terms } satisfies Ending as Ending
  })

/** Carries a decision out without a tool: for what needs none of them. */
export const straight =
  <B>(answer: B): Ways<Failed>["direct"] =>
  <A, E2>(_operation: Effect.Effect<A, E2, Tools>) =>
    Effect.succeed(answer as unknown as A)
