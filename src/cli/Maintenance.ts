import type * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Logger } from "effect"
import { createReadStream } from "node:fs"
import type { Diagnosis } from "../checks/Finding.ts"
import type { Address } from "../domain/Address.ts"
import type { Verdict } from "../proof/verify.ts"
import type { MigrationReport } from "../checks/migrations.ts"
import * as LoadSettings from "../config/load.ts"
import { format, type Usdc } from "../domain/Usdc.ts"
import { Refused, Unanswered } from "../operator/Operator.ts"
import { BadUsage, Io, NotHere } from "./io.ts"
import type { CommandError } from "./layers.ts"

/** What the person of the sandbox paid for an order, base units of USDC. */
export interface SandboxPayment {
  readonly command: "pay"
  readonly taskId: string
  readonly agentAddress: string
  readonly amount: bigint
}

type Work<A> = Effect.Effect<A, CommandError, NodeServices.NodeServices | Io>

/** What a person does on the executor's machine, whether or not an executor runs. */
export class Maintenance extends Context.Service<
  Maintenance,
  {
    readonly examine: Work<Diagnosis>
    readonly migrate: (options: { readonly dryRun: boolean }) => Work<MigrationReport>
    /** Checks the proof in a file (`-`: what comes in) with these nodes alone: no settings are read. */
    readonly verifyProof: (
      path: string,
      options: { readonly urls: ReadonlyArray<string>; readonly signer: Address | undefined }
    ) => Work<Verdict>
    /** The person's part, in the sandbox that runs. `undefined`: all that the order costs. */
    readonly payOrder: (task: string, amount: Usdc | undefined) => Work<SandboxPayment>
    /** Deletes the data of the sandbox, which must not run. Gives what is to be said. */
    readonly resetSandbox: Work<string>
  }
>()("ai-mint-executor/cli/Maintenance") {}

/** The sandbox is for development: a lean install has none. Any other fault of the import is a fault of ours. */
const needed = <A>(load: () => Promise<A>): Effect.Effect<A, NotHere> =>
  Effect.promise(load).pipe(
    Effect.catchDefect((defect) =>
      defect instanceof Error && "code" in defect && defect.code === "ERR_MODULE_NOT_FOUND"
        ? Effect.fail(new NotHere({ message: "A lean install has no sandbox: run npm ci, with its packages." }))
        : Effect.die(defect)
    )
  )

/** Has the person of the running sandbox pay. */
const payOrder = Effect.fnUntraced(function* (task: string, amount: Usdc | undefined) {
  const { askSandbox } = yield* needed(() => import("../sandbox/askSandbox.ts"))
  const { answer } = yield* askSandbox(
    {
      path: `/sandbox/orders/${encodeURIComponent(task)}/pay`,
      late: () => "; the order may be paid. Its log says more.",
      unreadable: "It is paid, but "
    },
    ({ orders }) =>
      orders.pay({ params: { order: task }, payload: amount === undefined ? {} : { amount: format(amount) } })
  ).pipe(
    Effect.mapError(({ reason, message }) =>
      reason === "NotRunning"
        ? new NotHere({ message })
        : reason === "Refused"
          ? new Refused({ message })
          : new Unanswered({ reason: "Broken", message })
    )
  )
  const { taskId, agentAddress } = answer
  return {
    command: "pay",
    taskId,
    agentAddress,
    amount: answer.amount.baseUnits
  } satisfies SandboxPayment as SandboxPayment
})

/** As `npm run sandbox:reset` does it. */
const resetSandbox = Effect.gen(function* () {
  const { err } = yield* Io
  const { DATA_DIR } = yield* needed(() => import("../sandbox/sandboxFile.ts"))
  const { clear } = yield* needed(() => import("../sandbox/reset.ts"))
  return yield* Effect.mapError(clear(DATA_DIR, err), ({ message }) => new Refused({ message }))
})

/** A file may be of any length: no more of it is read than a proof can have. */
const readText = (path: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const { PROOF_BYTES_MAX } = await import("../proof/verify.ts")
      const parts: Array<Buffer> = []
      let size = 0
      const bytes: AsyncIterable<Buffer> =
        path === "-" ? process.stdin : createReadStream(path, { end: PROOF_BYTES_MAX, signal })
      for await (const part of bytes) {
        parts.push(part)
        size += part.length
        if (size > PROOF_BYTES_MAX) break
      }
      return Buffer.concat(parts).toString("utf8")
    },
    catch: (error) => new BadUsage({ message: `${path} cannot be read: ${codeOf(error)}.` })
  })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "not a file"

const verifyProof: Maintenance["Service"]["verifyProof"] = Effect.fnUntraced(function* (path, options) {
  const text = yield* readText(path)
  const { verify } = yield* Effect.promise(() => import("../proof/verify.ts"))
  return yield* verify(text, options).pipe(
    Effect.mapError(({ message }) => new BadUsage({ message })),
    // What a node did wrong is in the verdict.
    Effect.provide(Logger.layer([]))
  )
})

/** Checks, proofs, migrations and the sandbox are loaded only where they are needed. */
export const maintenance = Maintenance.of({
  examine: Effect.flatMap(
    Effect.promise(() => import("../checks/doctor.ts")),
    ({ examine }) => examine
  ),
  migrate: (options) =>
    Effect.flatMap(
      Effect.promise(() => import("../checks/migrations.ts")),
      ({ migrateDatabase }) => migrateDatabase(options)
    ).pipe(Effect.provide(LoadSettings.layer({ terminal: false }))),
  verifyProof,
  payOrder,
  resetSandbox
})
