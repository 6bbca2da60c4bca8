import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { overviewOnce } from "../../api/overview.ts"
import { explainTask, showTask, walletReport } from "../../api/questions.ts"
import * as Input from "../flags.ts"
import * as Form from "../forms.ts"
import type { Kit } from "../Kit.ts"
import { look } from "./decide.ts"

const how = { direct: Input.direct, json: Input.json }

const DIRECT = "Straight from database and chain: whether an executor runs is not looked at (ai-mint doctor does)."

export const statusCommand = <E>(kit: Kit<E>) =>
  Command.make(
    "status",
    how,
    Effect.fnUntraced(function* (asked) {
      const form = asked.direct ? Form.directStatus : Form.status
      yield* look(kit, asked, { through: ({ control }) => control.overview(), straight: overviewOnce }, form)
      if (asked.direct) kit.io.err(DIRECT)
    })
  ).pipe(Command.withDescription("What runs now: is all well, orders and money by state, and what needs a look."))

export const showTaskCommand = <E>(kit: Kit<E>) =>
  Command.make("show", { task: Input.task, ...how }, ({ task, ...asked }) =>
    Effect.asVoid(
      look(
        kit,
        asked,
        { through: ({ tasks }) => tasks.show({ params: { task } }), straight: showTask(task) },
        Form.task
      )
    )
  ).pipe(Command.withDescription("The row of an order."))

export const explainCommand = <E>(kit: Kit<E>) =>
  Command.make("explain", { task: Input.task, ...how }, ({ task, ...asked }) =>
    Effect.asVoid(
      look(
        kit,
        asked,
        { through: ({ tasks }) => tasks.explain({ params: { task } }), straight: explainTask(task) },
        Form.explanation
      )
    )
  ).pipe(
    Command.withDescription(
      '"I paid, where are my tokens?": all that happened to an order, its money, and what happens next.'
    ),
    Command.withExamples([{ command: "ai-mint explain abc12345" }])
  )

const showWalletCommand = <E>(kit: Kit<E>) =>
  Command.make("show", { wallet: Input.wallet, ...how }, ({ wallet, ...asked }) =>
    Effect.asVoid(
      look(
        kit,
        asked,
        { through: ({ wallets }) => wallets.show({ params: { wallet } }), straight: walletReport(wallet) },
        Form.wallet
      )
    )
  ).pipe(
    Command.withDescription("What the chain shows of an agent wallet, beside what the ledger says."),
    Command.withExamples([{ command: "ai-mint wallets show 0x…", description: "By its own or its user's address" }])
  )

export const walletsCommand = <E>(kit: Kit<E>) =>
  Command.make("wallets").pipe(
    Command.withDescription("Agent wallets: one for each user, where they pay to."),
    Command.withSubcommands([showWalletCommand(kit)])
  )
