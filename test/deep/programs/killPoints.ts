import { Effect } from "effect"
import { appendFileSync } from "node:fs"

/** A place in the life of an order at which the process may be killed: `before batch signed→paid`. */
export type Point = string

const hasStatus = (value: unknown): value is { readonly status: string } =>
  typeof value === "object" && value !== null && "status" in value && typeof value.status === "string"

const isStep = (value: unknown): value is { readonly before: unknown; readonly after: unknown } =>
  typeof value === "object" && value !== null && "before" in value && "after" in value

/** `saveBatch` writes a batch. */
const written = (method: string): string => method.replace(/^save/, "").toLowerCase()

/**
 * What a call does, by the shape of what it is given: a step of something from one status to another, else the name of
 * the method. So methods that come later have their points too.
 */
export const nameOf = (method: string, [first, second]: ReadonlyArray<unknown>): string => {
  if (isStep(first) && hasStatus(first.before) && hasStatus(first.after)) {
    return `${written(method)} ${first.before.status}→${first.after.status}`
  }
  if (method.startsWith("save") && hasStatus(first)) {
    return `${written(method)} ${first.status}→${hasStatus(second) ? second.status : first.status}`
  }
  return method
}

/** Whether a call changed anything: the ledger answers `false` or no id where somebody else was first. */
const hasDone = (answer: unknown): boolean => (Array.isArray(answer) ? answer.length > 0 : answer !== false)

export interface KillOptions {
  /** The first of these that is reached is the end. */
  readonly points: ReadonlySet<Point>
  /** A file that gets every point that is passed, a line each. */
  readonly trace: string
}

/** Ends this process as a power cut does: nothing is closed, and nothing runs after it. */
const die = (): never => {
  process.kill(process.pid, "SIGKILL")
  // The kernel does not come back from it; where it should, nothing may go on all the same.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** The service, with a point before and one after each of its calls. */
export const withPoints = <S extends object>(service: S, { points, trace }: KillOptions, prefix = ""): S => {
  const pass = (point: Point) =>
    Effect.sync(() => {
      appendFileSync(trace, `${point}\n`)
      if (points.has(point)) die()
    })
  const around = (name: string, work: Effect.Effect<unknown>) =>
    pass(`before ${name}`).pipe(
      Effect.andThen(work),
      Effect.tap((answer) => (hasDone(answer) ? pass(`after ${name}`) : Effect.void))
    )
  return new Proxy(service, {
    get: (target, method: string & keyof S) => {
      const member: unknown = target[method]
      if (Effect.isEffect(member)) return around(prefix + method, member as Effect.Effect<unknown>)
      if (typeof member !== "function") return member
      return (...args: ReadonlyArray<unknown>) => {
        const answer: unknown = Reflect.apply(member, undefined, args)
        return Effect.isEffect(answer)
          ? around(prefix + nameOf(method, args), answer as Effect.Effect<unknown>)
          : answer
      }
    }
  })
}
