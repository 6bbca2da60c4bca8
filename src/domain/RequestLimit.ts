/**
 * Why a request says that the mint server has too much to do.
 *
 * - `Overloaded`: it says so, or the gateway in front of it does.
 * - `NoAnswer`: there was no connection, it broke, or no answer came in time.
 */
export type ServerTrouble = "Overloaded" | "NoAnswer"

/** What a request is for. Each takes its own time: a payment is settled on chain before it is answered. */
export type RequestKind = "quote" | "pay" | "follow"

/** What an answer says of the server, beside what it says of the order. Left out, the server had no trouble. */
export interface Strain {
  readonly trouble?: ServerTrouble
  /** How long the server wants to be left alone, in milliseconds. */
  readonly retryAfterMs?: number
}

/** How a request ended. Times are of a clock that never jumps, in milliseconds. */
export interface RequestEnd extends Strain {
  readonly kind: RequestKind
  readonly leftMs: number
  readonly endedMs: number
}

/** The answer time by its moving average, and the best that this has been of late. */
interface AnswerTime {
  readonly smoothedMs: number
  readonly bestMs: number
}

/** How many requests to the mint server may be in the air, and what that follows from. */
export interface RequestLimit {
  /** At least 1. The part after the point is what growth has gathered. */
  readonly limit: number
  /** Below it each answer adds one, as after an outage; above it a whole round of answers does. */
  readonly threshold: number
  /** Requests that left before the limit was last lowered say nothing new. */
  readonly loweredAtMs: number
  readonly answeredAtMs: number
  /** The server asked to be left alone until then. */
  readonly retryAtMs: number
  /** Nothing was answered: the next probe may leave then. */
  readonly probeAtMs: number
  /** Probes without an answer, one after another. */
  readonly probes: number
  readonly answerTimes: Readonly<Partial<Record<RequestKind, AnswerTime>>>
}

/** The longest pause that a `Retry-After` can ask for. */
export const RETRY_AFTER_MS_MAX = 300_000

/** The pause between two probes of a server that does not answer: the first one, and the longest. */
const PROBE_PAUSE_MS_FIRST = 5_000
const PROBE_PAUSE_MS_MAX = 15_000

/** The part of an answer's time that enters the average. */
const SMOOTHING = 1 / 8

/** The best time is forgotten by so much with each answer: a server that is slower for good is no longer measured by it. */
const BEST_FORGOTTEN = 1 / 256

/**
 * The server is slow where its average time is both so many times the best and so much longer. Blocks alone make one
 * payment a few seconds longer than another.
 */
const SLOW_TIMES = 4
const SLOW_MS = 5_000

/** Nothing is known of the server: everything that is allowed may be tried. */
export const initialLimit = (max: number): RequestLimit => ({
  limit: Math.max(1, max),
  threshold: Math.max(1, max),
  loweredAtMs: Number.NEGATIVE_INFINITY,
  answeredAtMs: Number.NEGATIVE_INFINITY,
  retryAtMs: Number.NEGATIVE_INFINITY,
  probeAtMs: Number.NEGATIVE_INFINITY,
  probes: 0,
  answerTimes: {}
})

/** Requests that may be in the air: a whole number from 1 to `max`. */
export const placesOf = ({ limit }: RequestLimit, max: number): number =>
  Math.max(1, Math.min(Math.floor(limit), Math.floor(max)))

/** From when on a request may leave. */
export const openAtMs = ({ retryAtMs, probeAtMs }: RequestLimit): number => Math.max(retryAtMs, probeAtMs)

/**
 * What the end of a request changes. An answer adds one to the limit in each round of answers. Trouble, and answers that
 * take ever longer, halve it, once for all requests that were in the air together. Where nothing is answered at all the
 * server is dead: one request at a time finds out whether it is back, and then the limit doubles with each round up to
 * what it was.
 */
export const afterRequest = (before: RequestLimit, end: RequestEnd, max: number): RequestLimit =>
  end.trouble === undefined ? afterAnswer(before, end, max) : afterTrouble(before, end, max)

const afterAnswer = (before: RequestLimit, end: RequestEnd, max: number): RequestLimit => {
  const time = timeAfter(before.answerTimes[end.kind], end.endedMs - end.leftMs)
  const answered: RequestLimit = {
    ...before,
    answeredAtMs: end.endedMs,
    probeAtMs: Number.NEGATIVE_INFINITY,
    probes: 0,
    answerTimes: { ...before.answerTimes, [end.kind]: time }
  }
  if (isSlow(time)) return isNews(before, end) ? halved(answered, end, max) : answered
  const { limit, threshold } = before
  const grown = limit < threshold ? Math.min(limit + 1, threshold) : limit + 1 / limit
  return { ...answered, limit: within(grown, max) }
}

const afterTrouble = (before: RequestLimit, end: RequestEnd, max: number): RequestLimit => {
  const { trouble, endedMs, leftMs, retryAfterMs } = end
  const asked =
    retryAfterMs === undefined
      ? Number.NEGATIVE_INFINITY
      : endedMs + Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_MS_MAX)
  const warned = { ...before, retryAtMs: Math.max(before.retryAtMs, asked) }
  if (!isNews(before, end)) return warned
  const isDead = trouble === "NoAnswer" && before.answeredAtMs < leftMs
  if (!isDead && placesOf(before, max) > 1) return halved(warned, end, max)
  const pauseMs = Math.min(PROBE_PAUSE_MS_MAX, PROBE_PAUSE_MS_FIRST * 2 ** before.probes)
  return {
    ...warned,
    limit: 1,
    threshold: Math.max(before.limit, before.threshold),
    loweredAtMs: endedMs,
    probeAtMs: endedMs + pauseMs,
    probes: before.probes + 1
  }
}

/** A request that left after the limit was last lowered. */
const isNews = ({ loweredAtMs }: RequestLimit, { leftMs }: RequestEnd): boolean => leftMs > loweredAtMs

const halved = (limit: RequestLimit, { endedMs }: RequestEnd, max: number): RequestLimit => {
  const half = within(Math.min(limit.limit, max) / 2, max)
  return { ...limit, limit: half, threshold: half, loweredAtMs: endedMs }
}

const within = (limit: number, max: number): number => Math.max(1, Math.min(limit, max))

const timeAfter = (before: AnswerTime | undefined, tookMs: number): AnswerTime => {
  if (before === undefined) return { smoothedMs: tookMs, bestMs: tookMs }
  const smoothedMs = before.smoothedMs + (tookMs - before.smoothedMs) * SMOOTHING
  return { smoothedMs, bestMs: Math.min(smoothedMs, before.bestMs * (1 + BEST_FORGOTTEN)) }
}

const isSlow = ({ smoothedMs, bestMs }: AnswerTime): boolean =>
  smoothedMs > bestMs * SLOW_TIMES && smoothedMs > bestMs + SLOW_MS
