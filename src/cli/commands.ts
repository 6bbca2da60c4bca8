import * as Command from "effect/cli/Command"
import { reconcileCommand, refundCommand } from "./moneyCommands.ts"
import { resolveCommand } from "./resolveCommand.ts"
import { adoptCommand, cancelCommand, retryCommand } from "./taskCommands.ts"
import type { Tell } from "./tell.ts"

/** `ai-mint` and its commands. */
export const makeCommands = <E>(tell: Tell<E>) =>
  Command.make("ai-mint").pipe(
    Command.withDescription(
      "What a person decides about orders and money. Safe beside a running executor. " +
        "Exit codes: 0 done, 1 refused or a difference, 2 bad usage, 78 settings."
    ),
    Command.withSubcommands([
      cancelCommand(tell),
      retryCommand(tell),
      adoptCommand(tell),
      resolveCommand(tell),
      refundCommand(tell),
      reconcileCommand(tell)
    ])
  )
