import type { Batch } from "../domain/Batch.ts"
import { limitFlags } from "../domain/Limit.ts"
import { limitWords, type NextStep } from "../domain/NextStep.ts"
import { shortId, type Task, V1_AUTHORIZATION_MS } from "../domain/Task.ts"
import { type Facts, next, type Next, whenDue } from "./explainFacts.ts"
import { resolveBatch } from "./explainHeld.ts"

/** An order that is paid for: what its wallet does next for it, and what keeps it from that. */
export const minting = (facts: Facts, task: Task, step: NextStep): Next => {
  switch (step._tag) {
    case "Settle":
    case "Deliver":
      return inFlight(facts, step)
    case "Wait":
      return waits(facts, step)
    case "TakeOver":
      return leftByV1(facts, task)
    case "Plan":
      return soon(facts, task, "It is planned next")
    case "Finish":
    case "Hold":
      return soon(facts, task, "It is closed at its next turn")
    case "GiveUp":
      return soon(facts, task, "It is given up at its next turn")
    case "Pay":
      return facts.stuck === undefined
        ? soon(facts, task, `Batch ${step.batch.number} is paid next`)
        : stopped(facts, step.batch, facts.stuck)
  }
}

const waits = (facts: Facts, { why, untilMs }: Extract<NextStep, { readonly _tag: "Wait" }>): Next => {
  switch (why._tag) {
    case "Stopped":
      return next(`Nothing new: its wallet is stopped: ${why.reason}`)
    case "Paused":
      return next(`Nothing new: ${pauseWords(facts)}`, undefined, resumes(facts))
    case "PriceAsked":
      return next(`Batch ${why.batch.number}: the mint server is asked what it costs.`, untilMs)
    case "OtherFirst":
      return behind(facts, why.batch)
    case "Limit":
      return next(`Batch ${why.batch.number} is not paid yet: ${limitWords(why.reached)}.`, untilMs, [
        "limits",
        `limits set --per-day n${limitFlags(why.reached.scope)} --why "…"`
      ])
  }
}

/** Something that nothing stands against, as far as the ledger tells. */
const soon = (facts: Facts, task: Task, what: string): Next => {
  const { nowMs } = facts
  const { atMs, late } = whenDue(dueSinceMs(facts), nowMs)
  if (late !== "") return next(`${what}${reasonOf(task)}.${late}`)
  const isPutOff = task.nextActionAtMs !== undefined && task.nextActionAtMs > nowMs
  const why = isPutOff && task.errorMessage === undefined ? PUT_OFF : ""
  return next(`${what}${reasonOf(task)}.${why}`, atMs)
}

const PUT_OFF = " It was put off until then: the mint server or the chain may be away (ai-mint status tells)."

const reasonOf = ({ errorMessage }: Task): string => (errorMessage === undefined ? "" : ` (${errorMessage})`)

/** Since when it could have been done: what was written last, or what it was put off to. */
const dueSinceMs = ({ story: { task, batches } }: Facts): number =>
  latest([
    task.nextActionAtMs,
    task.updatedAtMs,
    task.startedAtMs,
    ...batches.map(({ statusSinceMs }) => statusSinceMs)
  ])

/** Other programs' rows may lack times. */
const latest = (times: ReadonlyArray<number | undefined>): number =>
  Math.max(...times.map((ms) => (ms !== undefined && Number.isFinite(ms) ? ms : 0)))

/** Two batches of one token to one person could not be distinguished on chain: one is paid after the other. */
const behind = ({ nowMs }: Facts, { taskId, number, status, nextActionAtMs, answerByMs }: Batch): Next => {
  const { atMs, late } = whenDue(nextActionAtMs ?? answerByMs ?? nowMs, nowMs)
  const text =
    `It waits for batch ${number} of order ${shortId(taskId)}, which is of the same token and wallet and is ${status}: ` +
    "one is paid after the other."
  return next(`${text}${late}`, atMs, [`tasks explain ${shortId(taskId)}`])
}

/** A payment that is undelivered for so long stops all further ones to its token. */
const stopped = (
  { story: { task } }: Facts,
  planned: Batch,
  { batch: { taskId, number }, mayBeNamed }: NonNullable<Facts["stuck"]>
): Next => {
  const which = mayBeNamed ? `batch ${number} of order ${shortId(taskId)}` : "a batch of another order"
  return next(
    `Batch ${planned.number} is not paid yet: payments to token ${task.token} are stopped, as ${which} is paid and not delivered.`,
    undefined,
    mayBeNamed ? [`tasks explain ${shortId(taskId)}`] : []
  )
}

const leftByV1 = ({ nowMs }: Facts, { id, nextActionAtMs, updatedAtMs }: Task): Next => {
  const { atMs, late } = whenDue(latest([nextActionAtMs, updatedAtMs + V1_AUTHORIZATION_MS]), nowMs)
  const text =
    "v1.1 was minting it, and its payments may still be in flight: it is taken over an hour after v1.1 last worked on it."
  return next(`${text}${late}`, atMs, [`adopt ${shortId(id)} --mints n --why "…"`])
}

const inFlight = (facts: Facts, { _tag, batch }: Extract<NextStep, { readonly _tag: "Settle" | "Deliver" }>): Next => {
  const { number, status, reason, nextActionAtMs } = batch
  const because = reason === undefined ? "" : ` (${reason})`
  const { atMs, late } = whenDue(nextActionAtMs ?? facts.nowMs, facts.nowMs)
  const what = _tag === "Deliver" ? "its mints are looked for" : "the chain is asked what became of it"
  const isPaused = facts.pauses.length > 0
  const paused = isPaused ? ` Nothing new is paid meanwhile: ${pauseWords(facts)}` : ""
  const text = `Batch ${number} is ${status}: ${what}${because}.${late}${paused}`
  return next(text, atMs, [...resolveBatch(facts, batch), ...(isPaused ? resumes(facts) : [])])
}

/** Everything that it is paused by: it goes on when all of that is ended. */
const pauseWords = ({ pauses }: Facts): string =>
  pauses.map(({ scope, reason }) => `${scope === "all" ? "it" : whose(scope)} is paused: ${reason}`).join("; ")

const whose = (scope: string): string => (scope.startsWith("token:") ? "its token" : "its wallet")

const resumes = ({ pauses }: Facts): ReadonlyArray<string> =>
  pauses.map(({ scope }) => `resume${flagsOf(scope)} --why "…"`)

/** `token:0x…` as it is typed. */
const flagsOf = (scope: string): string => (scope === "all" ? "" : ` --${scope.replace(":", " ")}`)
