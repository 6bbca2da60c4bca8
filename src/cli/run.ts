import { Cause, Effect, Exit, Layer, Option, Runtime } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { version } from "../ops/process.ts"
import { aiMint } from "./commands.ts"
import { EXIT, fitForTerminal, Io } from "./io.ts"
import { CommandLayers } from "./layers.ts"
import { Maintenance } from "./Maintenance.ts"

/** Help and version are the report that was asked for; what is wrong with a command is none. */
const presenterFor = (io: Output) => {
  const formatter = CliOutput.defaultFormatter({ colors: io.colour })
  return CliOutput.layerPresenter({
    present: (event) =>
      Effect.sync(() => {
        switch (event._tag) {
          case "Version":
            return io.out(formatter.formatVersion(event.name, event.version))
          case "Help":
            return io.out(formatter.formatHelpDoc(event.helpDoc))
          case "InvalidInvocation":
            io.err(CliOutput.defaultFormatter({ colors: false }).formatErrors(event.errors).trim())
            return io.err(`See: ${event.commandPath.join(" ")} --help`)
        }
      })
  })
}

/** The scripts are the report too: Effect's own flag does not write them to `out`. */
const completionsTo = ({ out }: Output): typeof GlobalFlag.Completions =>
  GlobalFlag.Action({
    flag: GlobalFlag.Completions.flag,
    run: (shell, { command }) =>
      Effect.sync(() => {
        if (Option.isSome(shell)) out(Completions.generate(command.name, shell.value, Completions.fromCommand(command)))
      })
  })

type Output = Io["Service"]

/** Where commands lead, and what they write to. */
interface Surroundings {
  readonly io: Output
  readonly layers: CommandLayers["Service"]
  readonly maintenance: Maintenance["Service"]
}

/** Carries out what was typed. Gives the exit code; a failure is printed in words, never with a stack. */
export const run = (args: ReadonlyArray<string>, { io: given, layers, maintenance }: Surroundings) => {
  const io = fitForTerminal(given)
  return Command.runWith(aiMint, { version })(args).pipe(
    Effect.provide(
      Layer.mergeAll(
        presenterFor(io),
        CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, completionsTo(io)] }),
        Layer.succeed(Io, io),
        Layer.succeed(CommandLayers, layers),
        Layer.succeed(Maintenance, maintenance)
      )
    ),
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? EXIT.done : exitCodeOf(exit.cause, io)))
  )
}

const exitCodeOf = <E extends { readonly _tag?: string; readonly message: string }>(
  cause: Cause.Cause<E>,
  io: Output
): number => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure === undefined) {
    io.err(`🚨 The command ended in a defect: ${oneLine(Cause.squash(cause))}`)
    return EXIT.refused
  }
  if (failure._tag === "ShowHelp") return EXIT.usage
  if ("code" in failure && failure._tag === "Ended") return Number(failure.code)
  // Some failures have printed their reason already.
  if (!(Runtime.errorReported in failure && failure[Runtime.errorReported] === false)) io.err(`❌ ${failure.message}`)
  return Runtime.getErrorExitCode(failure)
}

const oneLine = (defect: unknown): string => String(defect).split("\n", 1)[0] ?? ""
