import * as Command from "effect/cli/Command"
import { adoptCommand, cancelCommand, resolveCommand, retryCommand } from "./commands/decisions.ts"
import { exportCommand } from "./commands/export.ts"
import { doctorCommand, migrateCommand, sandboxCommand } from "./commands/maintenance.ts"
import { keysCommand } from "./commands/keys.ts"
import { limitsCommand } from "./commands/limits.ts"
import { mcpCommand } from "./commands/mcp.ts"
import { pauseCommand, pausesCommand, resumeCommand } from "./commands/pauses.ts"
import { proveCommand, verifyCommand } from "./commands/proofs.ts"
import { statusCommand, watchCommand } from "./commands/status.ts"
import { explainCommand, quoteCommand, tasksCommand } from "./commands/tasks.ts"
import { reconcileCommand, refundCommand, walletsCommand } from "./commands/wallets.ts"
import { webhooksCommand } from "./commands/webhooks.ts"

/** `ai-mint` and its commands. */
export const aiMint = Command.make("ai-mint").pipe(
  Command.withDescription(
    "What a person asks and decides about orders and money, through the running executor (OPS_HOST, OPS_PORT). " +
      "Exit codes: 0 done, 1 refused or a difference, 2 bad usage, 3 not all could be looked at, 78 settings."
  ),
  Command.withExamples([
    { command: "ai-mint status", description: "Is all well?" },
    { command: "ai-mint explain abc12345", description: '"I paid, where are my tokens?"' },
    { command: "ai-mint watch", description: "What happens, as it happens" },
    { command: "ai-mint --completions bash > /etc/bash_completion.d/ai-mint", description: "Completes what you type" }
  ]),
  Command.withSubcommands([
    statusCommand,
    watchCommand,
    tasksCommand,
    explainCommand,
    quoteCommand,
    walletsCommand,
    cancelCommand,
    retryCommand,
    adoptCommand,
    resolveCommand,
    refundCommand,
    reconcileCommand,
    exportCommand,
    proveCommand,
    verifyCommand,
    pauseCommand,
    resumeCommand,
    pausesCommand,
    keysCommand,
    mcpCommand,
    webhooksCommand,
    limitsCommand,
    doctorCommand,
    migrateCommand,
    sandboxCommand
  ])
)
