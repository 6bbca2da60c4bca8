import * as Command from "effect/cli/Command"
import { doctorCommand, migrateCommand } from "./commands/care.ts"
import { createCommand } from "./commands/create.ts"
import { adoptCommand, cancelCommand, retryCommand } from "./commands/decisions.ts"
import { listCommand } from "./commands/list.ts"
import { explainCommand, showTaskCommand, statusCommand, walletsCommand } from "./commands/look.ts"
import { reconcileCommand, refundCommand } from "./commands/money.ts"
import { pauseCommand, pausesCommand, resumeCommand } from "./commands/pauses.ts"
import { resolveCommand } from "./commands/resolve.ts"
import { sandboxCommand } from "./commands/sandbox.ts"
import { watchCommand } from "./commands/watch.ts"
import type { Kit } from "./Kit.ts"

const tasksCommand = <E>(kit: Kit<E>) =>
  Command.make("tasks").pipe(
    Command.withDescription("Orders: what became of them, and what a person decides about them."),
    Command.withSubcommands([
      listCommand(kit),
      showTaskCommand(kit),
      explainCommand(kit),
      createCommand(kit),
      cancelCommand(kit),
      retryCommand(kit),
      adoptCommand(kit),
      resolveCommand(kit)
    ])
  )

/** `ai-mint` and its commands. */
export const makeCommands = <E>(kit: Kit<E>) =>
  Command.make("ai-mint").pipe(
    Command.withDescription(
      "What a person asks and decides about orders and money, through the running executor (OPS_HOST, OPS_PORT). " +
        "Exit codes: 0 done, 1 refused or a difference, 2 bad usage, 78 settings."
    ),
    Command.withExamples([
      { command: "ai-mint status", description: "Is all well?" },
      { command: "ai-mint explain abc12345", description: '"I paid, where are my tokens?"' },
      { command: "ai-mint watch", description: "What happens, as it happens" },
      { command: "ai-mint --completions bash > /etc/bash_completion.d/ai-mint", description: "Completes what you type" }
    ]),
    Command.withSubcommands([
      statusCommand(kit),
      watchCommand(kit),
      tasksCommand(kit),
      explainCommand(kit),
      walletsCommand(kit),
      cancelCommand(kit),
      retryCommand(kit),
      adoptCommand(kit),
      resolveCommand(kit),
      refundCommand(kit),
      reconcileCommand(kit),
      pauseCommand(kit),
      resumeCommand(kit),
      pausesCommand(kit),
      doctorCommand(kit),
      migrateCommand(kit),
      sandboxCommand(kit)
    ])
  )
