import { Context, Option } from "effect"
import type { Permission } from "../../domain/Scope.ts"

/** What a caller needs for a route or a tool. One that does not say so is for `root`. */
export class NeedsScope extends Context.Service<NeedsScope, Permission>()(
  "ai-mint-executor/api/contract/permissions/NeedsScope"
) {}

/** What a caller needs for the route or tool with these annotations. */
export const permissionOf = (annotations: Context.Context<never>): Permission =>
  Option.getOrElse(Context.getOption(annotations, NeedsScope), () => "root")

/** A route that shows or changes what is of all people: a key that is bound to one of them is refused. */
export class OfEveryone extends Context.Service<OfEveryone, boolean>()(
  "ai-mint-executor/api/contract/permissions/OfEveryone"
) {}

/** For a route about single orders and wallets: a key that is bound to a person finds that person's only. */
export const needs = (permission: Permission) => Context.make(NeedsScope, permission)

/** For a route about all of them together. */
export const needsForEveryone = (permission: Permission) => Context.add(needs(permission), OfEveryone, true)
