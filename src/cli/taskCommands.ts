import { Effect, Option } from "effect"
// One module each: all of `effect/cli` would double the time until the first line.
import * as Command from "effect/cli/Command"
import { adopt } from "../operator/adopt.ts"
import { cancel } from "../operator/cancel.ts"
import { retry } from "../operator/retry.ts"
import * as Input from "./flags.ts"
import type { Tell } from "./tell.ts"

export const cancelCommand = <E>(tell: Tell<E>) =>
  Command.make("cancel", { task: Input.task, why: Input.why, json: Input.json }, ({ task, why, json }) =>
    Effect.asVoid(tell(cancel(task, why), json))
  ).pipe(Command.withDescription("Cancels an order that waits for its money. One that is paid is not cancelled."))

export const retryCommand = <E>(tell: Tell<E>) =>
  Command.make("retry", { task: Input.task, why: Input.why, json: Input.json }, ({ task, why, json }) =>
    Effect.asVoid(tell(retry(task, why), json))
  ).pipe(
    Command.withDescription(
      "Gives a failed order another try, if its wallet has the money; or ends the hold of a held one."
    )
  )

export const adoptCommand = <E>(tell: Tell<E>) =>
  Command.make(
    "adopt",
    { task: Input.task, mints: Input.mintsDelivered, why: Input.why, json: Input.json },
    ({ task, mints, why, json }) => Effect.asVoid(tell(adopt(task, { mints: Option.getOrUndefined(mints) }, why), json))
  ).pipe(Command.withDescription("Takes over an order that v1.1 was minting, at once and whatever v1.1 paid for it."))
