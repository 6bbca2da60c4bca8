import { Effect, Option } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Command from "effect/cli/Command"
import { adopt } from "../../operator/adopt.ts"
import { cancel } from "../../operator/cancel.ts"
import { retry } from "../../operator/retry.ts"
import * as Input from "../flags.ts"
import type { Kit } from "../Kit.ts"
import { decide } from "./decide.ts"

const common = { task: Input.task, why: Input.why, direct: Input.direct, json: Input.json }

export const cancelCommand = <E>(kit: Kit<E>) =>
  Command.make("cancel", common, ({ task, why, ...asked }) =>
    Effect.asVoid(
      decide(kit, asked, {
        through: ({ tasks }) => tasks.cancel({ params: { task }, payload: { why } }),
        straight: cancel(task, why)
      })
    )
  ).pipe(
    Command.withDescription("Cancels an order that waits for its money. One that is paid is not cancelled."),
    Command.withExamples([{ command: 'ai-mint cancel abc12345 --why "the user asked"' }])
  )

export const retryCommand = <E>(kit: Kit<E>) =>
  Command.make("retry", common, ({ task, why, ...asked }) =>
    Effect.asVoid(
      decide(kit, asked, {
        through: ({ tasks }) => tasks.retry({ params: { task }, payload: { why } }),
        straight: retry(task, why)
      })
    )
  ).pipe(
    Command.withDescription(
      "Gives a failed order another try, if its wallet has the money; or ends the hold of a held one."
    ),
    Command.withExamples([{ command: 'ai-mint retry abc12345 --why "the mint server is well again"' }])
  )

export const adoptCommand = <E>(kit: Kit<E>) =>
  Command.make("adopt", { ...common, mints: Input.mintsDelivered }, ({ task, mints: given, why, ...asked }) => {
    const mints = Option.getOrUndefined(given)
    return Effect.asVoid(
      decide(kit, asked, {
        through: ({ tasks }) =>
          tasks.adopt({ params: { task }, payload: { why, ...(mints === undefined ? {} : { mints }) } }),
        straight: adopt(task, { mints }, why)
      })
    )
  }).pipe(
    Command.withDescription("Takes over an order that v1.1 was minting, at once and whatever v1.1 paid for it."),
    Command.withExamples([
      {
        command: 'ai-mint adopt abc12345 --mints 7 --why "7 are on the explorer"',
        description: "7 mints were delivered"
      }
    ])
  )
