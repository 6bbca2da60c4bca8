import { Console, Effect, Option, Schema } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { askSandbox, type AskError, dataDirFlag, runCommand, type SandboxClient, userError } from "./askSandbox.ts"
import { faultLimits, Blocks, isToken, Milliseconds, Times } from "./faults.ts"
import type { FaultsState } from "./SandboxApi.ts"

/** Faults need no chain, so the answer is quick. */
const ANSWER_TIMEOUT = "10 seconds"

const number = (name: "times" | "ms" | "blocks", schema: typeof Times, description: string) =>
  Flag.Int(name).pipe(
    Flag.filter(Schema.is(schema), () => faultLimits[name]),
    Flag.optional,
    Flag.withDescription(description)
  )

const flags = {
  kind: Argument.String("kind").pipe(
    Argument.optional,
    Argument.withDescription("What is to go wrong, besides what does already. --list shows all kinds")
  ),
  times: number("times", Times, "For so many requests. Default: until it is switched off"),
  token: Flag.String("token").pipe(
    Flag.filter(isToken, () => faultLimits.token),
    Flag.optional,
    Flag.withDescription("Only for mints of this token. Default: for all")
  ),
  ms: number("ms", Milliseconds, "Milliseconds, for settle-late and rpc-slow. Default: 3000"),
  blocks: number("blocks", Blocks, "Blocks, for rpc-lag and rpc-range. Default: 10"),
  off: Flag.Boolean("off").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Switches everything off or, with a kind, this one")
  ),
  list: Flag.Boolean("list").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Shows all kinds, what is on and how often it happened")
  ),
  dataDir: dataDirFlag
}

type Question = (client: SandboxClient["faults"]) => Effect.Effect<FaultsState, AskError>

const command = Command.make(
  "sandbox:fault",
  flags,
  Effect.fnUntraced(function* ({ kind, off, list, dataDir, ...how }) {
    const ask = (question: Question) =>
      askSandbox(
        { dataDir, path: "/sandbox/faults", within: ANSWER_TIMEOUT, late: (url) => ` from ${url}` },
        ({ faults }) => question(faults)
      ).pipe(
        Effect.map(({ answer }) => answer),
        Effect.mapError(userError)
      )
    const show = ask((client) => client.show())
    if (list || (Option.isNone(kind) && !off)) return yield* Console.log(allLines(yield* show))
    if (Option.isNone(kind)) return yield* Console.log(stateLines(yield* ask((client) => client.clear())))
    const { faults } = yield* show
    const others = faults.filter((fault) => fault.kind !== kind.value)
    const given = Object.entries(how).flatMap(([name, value]) =>
      Option.isSome<string | number>(value) ? [[name, value.value]] : []
    )
    const added = off ? [] : [{ kind: kind.value, ...Object.fromEntries(given) }]
    const payload = { faults: [...others, ...added] }
    yield* Console.log(stateLines(yield* ask((client) => client.set({ payload }))))
  })
).pipe(
  Command.withDescription("Makes something go wrong in the sandbox that runs: with its mint server, or with its node."),
  Command.withExamples([
    {
      command: "npm run sandbox:fault -- answer-502 --times 1",
      description: "The next payment is taken, and 502 said"
    },
    { command: "npm run sandbox:fault -- rpc-lag --blocks 20", description: "The node falls behind" },
    { command: "npm run sandbox:fault -- --off", description: "All is well again" }
  ])
)

const stateLines = ({ faults, injected }: FaultsState): string => {
  const counts = Object.entries(injected).map(([kind, count]) => `${kind} ${count}`)
  return [
    ...(faults.length === 0 ? ["✅ Nothing goes wrong on purpose."] : ["💥 Goes wrong from now on:"]),
    ...faults.map((fault) => `   ${faultLine(fault)}`),
    ...(counts.length === 0 ? [] : [`Happened so far: ${counts.join(", ")}`])
  ].join("\n")
}

/** `settle-late, 2 times, ms 5000`. */
const faultLine = ({ kind, times, ...how }: FaultsState["faults"][number]): string => {
  const left = times === undefined ? "until it is switched off" : times === 1 ? "once" : `${times} times`
  return [kind, left, ...Object.entries(how).map(([name, value]) => `${name} ${value}`)].join(", ")
}

const allLines = (state: FaultsState): string => {
  const kinds = Object.entries(state.kinds)
  const width = Math.max(...kinds.map(([kind]) => kind.length))
  return [
    "What can go wrong:",
    ...kinds.map(([kind, does]) => `   ${kind.padEnd(width)}  ${does}`),
    "",
    stateLines(state)
  ].join("\n")
}

runCommand(command)
