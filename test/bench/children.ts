import { Effect } from "effect"
import { type ChildProcess, fork, type Serializable } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isOver(child)) return Effect.void
    const exit = once(child, "exit")
    child.kill("SIGTERM")
    return Effect.asVoid(Effect.promise(() => exit))
  })

/** A program of `test/bench/programs` in a process of its own, which is stopped when the scope closes. */
export const startProgram = (name: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url)), args)),
    stop
  )

/** The next thing that the program says; its end before that is a defect. */
export const messageOf = <A>(child: ChildProcess): Effect.Effect<A> =>
  Effect.callback<A>((resume) => {
    const ended = () => resume(Effect.die(new Error(`${child.spawnargs.at(-1)} ended before it was done`)))
    child.once("exit", ended)
    child.once("message", (message) => {
      child.off("exit", ended)
      resume(Effect.succeed(message as A))
    })
  })

/** Gives a program its job, and waits for the answer. */
export const askProgram = <A>(name: string, job: Serializable): Effect.Effect<A> =>
  Effect.scoped(
    Effect.flatMap(startProgram(name), (child) => {
      child.send(job)
      return messageOf<A>(child)
    })
  )
