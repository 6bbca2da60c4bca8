import { Context, Effect, Runtime, Schema } from "effect"
import { hostname, userInfo } from "node:os"
import { UNPRINTABLE } from "../domain/text.ts"
import { actorWords } from "../operator/Caller.ts"

/** Where a command writes: the report, and what is no report. Whole texts without a line end. */
export class Io extends Context.Service<
  Io,
  {
    readonly out: (text: string) => void
    /** A part of a document that programs read: as it is, with its own line ends. */
    readonly document: (part: string) => void
    readonly err: (text: string) => void
    /** Whether the report goes to a terminal, and may have colours. */
    readonly colour: boolean
    /** From now on an interruption (Ctrl-C) is how the command is meant to end. */
    readonly expectInterruption: () => void
  }
>()("ai-mint-executor/cli/Io") {}

/** The user of the shell, as the system has it; empty where it has no name for it, as in some containers. */
export const osUser = (): string => {
  try {
    return userInfo().username
  } catch {
    return ""
  }
}

/** Who decides straight on the database: there is no token, and the machine is the one of the shell. */
export const directActor = (): string => actorWords(osUser(), `--direct on ${hostname()}`)

const COLOUR_OR_UNPRINTABLE = new RegExp(`(\u001b\\[[0-9;]*m)|${UNPRINTABLE.source}`, "g")

/**
 * The same, with nothing on it that a terminal would do something at, but our own colours: reports and refusals tell what
 * strangers wrote.
 */
export const fitForTerminal = (io: Io["Service"]): Io["Service"] => {
  const fit = (text: string, colour: boolean): string =>
    text.replaceAll(COLOUR_OR_UNPRINTABLE, (found, ours: string | undefined) =>
      found === "\n" || found === "\t" || (ours !== undefined && colour) ? found : " "
    )
  return { ...io, out: (text) => io.out(fit(text, io.colour)), err: (text) => io.err(fit(text, false)) }
}

/** The stable exit codes. 3: nothing is wrong, and not everything could be looked at. 78 comes with the errors that know of it: settings, chain, database, a missing sandbox. */
export const EXIT = { done: 0, refused: 1, usage: 2, undecided: 3, settings: 78 } as const

/** All is said; the command ends with this code. */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { code: Schema.Number }) {
  override get message(): string {
    return `ended with code ${this.code}`
  }
}

/** A command that does not make sense as it was typed. */
export class BadUsage extends Schema.TaggedError<BadUsage>()("BadUsage", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = EXIT.usage
}

export const badUsage = (message: string) => Effect.fail(new BadUsage({ message }))

/** What was asked for lies outside what the settings of this machine name. */
export class NotHere extends Schema.TaggedError<NotHere>()("NotHere", { message: Schema.String }) {
  override readonly [Runtime.errorExitCode] = EXIT.settings
}
