import { Effect } from "effect"
import type { Permission } from "../../domain/Scope.ts"
import { CurrentCaller } from "../../operator/Caller.ts"
import { permissionOf } from "../contract/permissions.ts"
import { OrderTools, ToolProblem } from "./tools.ts"

/** Refuses a caller whose key lacks the scope. */
export const mayUse = Effect.fnUntraced(function* (permission: Permission) {
  const { may } = yield* CurrentCaller
  if (may.has(permission)) return
  return yield* new ToolProblem({
    message:
      `Refused: this key lacks the scope ${permission}. Nothing has changed, and no money has moved. ` +
      "Next: ask the person to get a key that has it from the operator; no other call helps."
  })
})

type Handlers = Readonly<Record<string, (...args: ReadonlyArray<never>) => Effect.Effect<unknown, unknown>>>

/** Has each tool ask for the scope that it names before it does anything; one that names none is for `root`. */
export const guarded = <H extends Handlers>(handlers: H): H =>
  Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => {
      const { annotations } = OrderTools.tools[name as keyof typeof OrderTools.tools]
      const needed = permissionOf(annotations)
      return [name, (...args: ReadonlyArray<never>) => Effect.andThen(mayUse(needed), handler(...args))]
    })
  ) as unknown as H
