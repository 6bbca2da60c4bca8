import type * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Layer } from "effect"
import * as Command from "effect/cli/Command"
import * as LoadSettings from "../config/load.ts"
import type { Operator } from "../operator/Operator.ts"
import { ExecutorClient, operatorLayer } from "./client/ExecutorClient.ts"
import type { Io } from "./io.ts"

/** A failure that says in words what is wrong, and may know its exit code. */
export interface CommandError {
  readonly _tag: string
  readonly message: string
}

type CommandLayer<A> = Layer.Layer<A, CommandError, NodeServices.NodeServices | Io>

/** What commands ask. A layer is built once its command is understood, and not before: help needs no settings. */
export class CommandLayers extends Context.Service<
  CommandLayers,
  {
    readonly executor: CommandLayer<ExecutorClient>
    /** `--direct`: on database and chain of the settings, beside an executor or without one. */
    readonly direct: CommandLayer<Operator>
  }
>()("ai-mint-executor/cli/CommandLayers") {}

const settings = LoadSettings.layer({ terminal: false })

/** The real ones. Database and chain are loaded for `--direct` only: that is most of the time until the first line. */
export const commandLayers = CommandLayers.of({
  executor: ExecutorClient.layer.pipe(Layer.provide(settings)),
  direct: Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./direct.ts")),
      (direct) => direct.layer
    )
  ).pipe(Layer.provide(settings))
})

const executor = Layer.unwrap(Effect.map(CommandLayers, (layers) => layers.executor))
const direct = Layer.unwrap(Effect.map(CommandLayers, (layers) => layers.direct))
const http = operatorLayer.pipe(Layer.provide(executor))

/** For a command that only a running executor can carry out. */
export const onExecutor = <const Name extends string, Input, ContextInput, E, R>(
  command: Command.Command<Name, Input, ContextInput, E, R>
) => Command.provide(command, operatorLayer.pipe(Layer.provideMerge(executor)))

/** For a command with `--direct`. */
export const onOperator = <const Name extends string, Input extends { readonly direct: boolean }, ContextInput, E, R>(
  command: Command.Command<Name, Input, ContextInput, E, R>
) => Command.provide(command, (input: Input) => (input.direct ? direct : http))
