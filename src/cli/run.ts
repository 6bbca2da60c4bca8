import { Cause, Effect, Exit, Layer, Option, Runtime } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { version } from "../ops/process.ts"
import { makeCommands } from "./commands.ts"
import { EXIT, fitForTerminal, type Io } from "./io.ts"
import type { Ways } from "./Kit.ts"
import { makeTell } from "./tell.ts"

/** Help and version are the report that was asked for; what is wrong with a command is none. */
const presenterFor = (io: Io) => {
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

/** The scripts are the report too: Effect's own flag writes them past whoever reads it. */
const completionsTo = ({ out }: Io): typeof GlobalFlag.Completions =>
  GlobalFlag.Action({
    flag: GlobalFlag.Completions.flag,
    run: (shell, { command }) =>
      Effect.sync(() => {
        if (Option.isSome(shell)) out(Completions.generate(command.name, shell.value, Completions.fromCommand(command)))
      })
  })

/** Carries out what was typed. Gives the exit code; a failure is told in words, and never with a stack. */
export const run = <E extends { readonly message: string }>(args: ReadonlyArray<string>, io: Io, ways: Ways<E>) =>
  runOn(args, fitForTerminal(io), ways)

const runOn = <E extends { readonly message: string }>(args: ReadonlyArray<string>, io: Io, ways: Ways<E>) =>
  Command.runWith(makeCommands({ ways, io, tell: makeTell(io) }), { version })(args).pipe(
    Effect.provide(
      Layer.merge(
        presenterFor(io),
        CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, completionsTo(io)] })
      )
    ),
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? EXIT.done : codeOf(exit.cause, io)))
  )

const codeOf = <E extends { readonly _tag?: string; readonly message: string }>(
  cause: Cause.Cause<E>,
  io: Io
): number => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure === undefined) {
    io.err(`🚨 The command ended in a defect: ${oneLine(Cause.squash(cause))}`)
    return EXIT.refused
  }
  if (failure._tag === "ShowHelp") return EXIT.usage
  if ("code" in failure && failure._tag === "Ended") return Number(failure.code)
  // What has told its reason already is not told twice.
  if (!(Runtime.errorReported in failure && failure[Runtime.errorReported] === false)) io.err(`❌ ${failure.message}`)
  return Runtime.getErrorExitCode(failure)
}

const oneLine = (defect: unknown): string => String(defect).split("\n", 1)[0] ?? ""
